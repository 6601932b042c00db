"""What the headers of IP fragments say: which datagram each belongs to, and where."""

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np

from pipelines.capture.batch import PacketBatch
from pipelines.capture.headers import EXTENSION, IPV4, read
from pipelines.capture.network import FRAGMENT_OFFSET, MORE_FRAGMENTS, Network

LONGEST_DATAGRAM = 65_535
# Addresses, number and, of IPv4, the protocol; IPv6 numbers its datagrams without.
Key: TypeAlias = tuple[bytes, int, int]
ANY_PROTOCOL = -1


class Fragment(NamedTuple):
    """One fragment: the datagram that it belongs to, where its ``data`` goes, and whether it is the
    last; ``protocol`` is what the datagram begins with, ``is_whole`` whether all was captured."""

    row: int
    time_ns: int
    datagram: Key
    protocol: int
    offset: int
    is_last: bool
    is_whole: bool
    data: bytes

    @property
    def end(self) -> int:
        return self.offset + len(self.data)

    @property
    def is_sound(self) -> bool:
        """Whether it can be part of a datagram: all but the last end on a multiple of eight."""
        fits = self.is_last or (len(self.data) % 8 == 0 and len(self.data) > 0)
        return self.is_whole and fits and self.end <= LONGEST_DATAGRAM


def read_fragments(batch: PacketBatch, network: Network) -> Iterator[Fragment]:
    """The fragments of a batch, in file order."""
    rows = np.flatnonzero(batch.is_fragment)
    begin, stop = batch.ip_offset[rows], network.stop[rows]
    is_ipv4 = batch.ip_version[rows] == 4
    old = read(batch.buffer, IPV4, begin)
    new = read(batch.buffer, EXTENSION, network.fragment_header[rows])
    old_field, new_field = old["fragment"].astype(np.int64), new["fragment"].astype(np.int64)
    old_start = begin + (old["version_length"] & 15).astype(np.int64) * 4
    protocol = np.where(is_ipv4, old["protocol"], new["next"]).astype(np.int64)
    start = np.where(is_ipv4, old_start, network.fragment_header[rows] + EXTENSION.itemsize)
    columns = (
        rows,
        batch.time_ns[rows],
        np.where(is_ipv4, old["id"], new["id"].astype(np.int64)),
        np.where(is_ipv4, protocol, ANY_PROTOCOL),
        protocol,
        np.where(is_ipv4, (old_field & FRAGMENT_OFFSET) * 8, new_field & ~7),
        np.where(is_ipv4, old_field & MORE_FRAGMENTS == 0, new_field & 1 == 0),
        stop - begin == batch.ip_length[rows],
        np.minimum(start, stop),
        stop,
    )
    content = batch.buffer.data
    addresses = np.stack([batch.src_ip[rows], batch.dst_ip[rows]], axis=1).tobytes()
    for place, values in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        row, time_ns, number, of_protocol, starts_with, offset, is_last, is_whole, one, end = values
        key = (addresses[place * 32 : place * 32 + 32], number, of_protocol)
        data = bytes(content[one:end])
        yield Fragment(row, time_ns, key, starts_with, offset, is_last, is_whole, data)
