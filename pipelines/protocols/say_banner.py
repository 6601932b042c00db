"""Columns of protocols that begin with a banner: SSH, SMTP, FTP, POP3, IMAP."""

from typing import Any

from pipelines.protocols.dialogue import read_dialogue
from pipelines.protocols.fingerprints import md5
from pipelines.protocols.shape import joined
from pipelines.protocols.ssh import SshHello, read_ssh

Row = dict[str, Any]


def ssh_row(client: bytes, server: bytes) -> Row | None:
    """What the initiator and the other side of an SSH flow say."""
    sides = read_ssh(client), read_ssh(server)
    if not any(sides):
        return None
    row: Row = {"banner_protocol": "ssh"}
    for name, hello in zip(("client", "server"), sides, strict=True):
        if hello is not None:
            row[f"banner_{name}"] = hello.software
            row[f"banner_{name}_algorithms"] = _algorithms(hello)
    row["banner_hassh"] = _hassh(sides[0], server=False)
    row["banner_hassh_server"] = _hassh(sides[1], server=True)
    return row


def _algorithms(hello: SshHello) -> str | None:
    """Key exchange, host keys and ciphers to the server, as words."""
    return joined(name for names in hello.lists[:3] for name in names.split(",") if name) or None


def _hassh(hello: SshHello | None, *, server: bool) -> str | None:
    text = hello.hassh_text(server=server) if hello else None
    return None if text is None else md5(text)


def dialogue_row(one: bytes, other: bytes) -> Row | None:
    """What the two sides of an SMTP, FTP, POP3 or IMAP flow say, whichever greets."""
    found = read_dialogue(one, other) or read_dialogue(other, one)
    if found is None:
        return None
    return {
        "banner_protocol": found.protocol,
        "banner_length": len(found.greeting),
        "banner_encrypts": not {"STARTTLS", "STLS"}.isdisjoint(found.commands),
        "banner_commands": " ".join(found.commands) or None,
        "banner_codes": " ".join(found.codes) or None,
        "banner_greeting": found.greeting,
        "banner_client_name": found.client_name,
    }
