"""The banner of SSH and the algorithms it offers (RFC 4253 sections 4.2 and 7.1)."""

from dataclasses import dataclass

from pipelines.protocols.reader import NeedData, Reader
from pipelines.protocols.shape import as_text

KEXINIT = 20
LARGEST_PACKET = 35000
CIPHERS_TO_SERVER, CIPHERS_TO_CLIENT = 2, 3


@dataclass
class SshHello:
    """What one side says first. ``lists`` are the ten name lists of its KEXINIT, or fewer."""

    software: str
    lists: list[str]

    def hassh_text(self, *, server: bool) -> str | None:
        """The text that HASSH hashes: key exchange, ciphers, MACs, compression of one way."""
        if len(self.lists) < 8:
            return None
        way = int(server)
        return ";".join(self.lists[place] for place in (0, 2 + way, 4 + way, 6 + way))


def read_ssh(data: bytes) -> SshHello | None:
    """Banner and KEXINIT, or as much of them as is there; None if ``data`` begins like no SSH."""
    if not data.startswith(b"SSH-"):
        return None
    banner, _, rest = data.partition(b"\n")
    # A comment may follow, as some servers name their host in it.
    software = banner.rstrip(b"\r").split(b"-", 2)[-1].partition(b" ")[0]
    return SshHello(as_text(software[:255]), _name_lists(rest))


def _name_lists(packet: bytes) -> list[str]:
    reader, lists = Reader(packet), []
    try:
        if reader.number(4) > LARGEST_PACKET:
            return []
        reader.number(1)  # padding
        if reader.number(1) != KEXINIT:
            return []
        reader.take(16)  # cookie
        for _ in range(10):
            names = reader.vector(4)
            if reader.overrun:
                break
            lists.append(names.decode("utf-8", "backslashreplace"))
    except NeedData:
        pass
    return lists
