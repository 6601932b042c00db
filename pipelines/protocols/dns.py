"""DNS messages (RFC 1035), plainly over UDP or behind a length over TCP."""

import struct
from dataclasses import dataclass, field

from pipelines.protocols.reader import NeedData, Reader

HEADER_BYTES = 12
# What follows the name: type and class; of a record also its time to live and length.
QUESTION, RECORD = struct.Struct("!HH"), struct.Struct("!HHIH")
LONGEST_NAME, LONGEST_LABEL, POINTER = 255, 63, 0xC0
A, NS, CNAME, SOA, PTR, MX, TXT, AAAA, SRV, OPT = 1, 2, 5, 6, 12, 15, 16, 28, 33, 41
# https://www.iana.org/assignments/dns-parameters
TYPE_NAMES = {
    A: "A",
    NS: "NS",
    CNAME: "CNAME",
    SOA: "SOA",
    10: "NULL",
    PTR: "PTR",
    MX: "MX",
    TXT: "TXT",
    AAAA: "AAAA",
    SRV: "SRV",
    35: "NAPTR",
    43: "DS",
    46: "RRSIG",
    48: "DNSKEY",
    64: "SVCB",
    65: "HTTPS",
    255: "ANY",
}
CODE_NAMES = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")
# More records than a message of a datagram can hold say that it is none.
MOST_RECORDS = 1000


@dataclass(frozen=True)
class Record:
    """A resource record."""

    kind: int
    ttl: int
    data: bytes


@dataclass
class DnsMessage:
    """A query or response: its first question and the records that are there whole."""

    response: bool
    opcode: int
    code: int
    recursion_desired: bool
    truncated: bool
    questions: int
    name: bytes | None = None
    kind: int | None = None
    answers: list[Record] = field(default_factory=list)
    answers_announced: int = 0
    authorities_announced: int = 0
    edns_size: int | None = None


def type_name(kind: int) -> str:
    """The name of a record type, TYPE and its number without one (RFC 3597)."""
    return TYPE_NAMES.get(kind, f"TYPE{kind}")


def code_name(code: int) -> str:
    """The name of a response code."""
    return CODE_NAMES[code] if code < len(CODE_NAMES) else f"RCODE{code}"


def read_dns(data: bytes) -> DnsMessage | None:
    """A message, or as much of it as is there; None if ``data`` does not look like DNS.

    It does if the header's reserved bit is clear, there is one question at most and few records,
    and the question's name is well formed.
    """
    if len(data) < HEADER_BYTES:
        return None
    flags, *counts = struct.unpack_from("!5H", data, 2)
    message = DnsMessage(
        response=bool(flags & 0x8000),
        opcode=flags >> 11 & 15,
        code=flags & 15,
        recursion_desired=bool(flags & 0x0100),
        truncated=bool(flags & 0x0200),
        questions=counts[0],
        answers_announced=counts[1],
        authorities_announced=counts[2],
    )
    is_odd = flags & 0x0040 or message.opcode > 6 or counts[0] > 1 or sum(counts) == 0
    if is_odd or max(counts) > MOST_RECORDS or (counts[0] == 0 and not message.response):
        return None
    try:
        return message if _read_records(data, message, sum(counts[1:])) else None
    except NeedData:
        return message


def _read_records(data: bytes, message: DnsMessage, records: int) -> bool:
    """Fill in question and records; False if a name is malformed. Raises NeedData."""
    reader = Reader(data)
    reader.take(HEADER_BYTES)
    if message.questions:
        name = _name(reader)
        if name is None:
            return False
        message.name = name
        message.kind, network = QUESTION.unpack(reader.take(QUESTION.size))
        if network & 0x7FFF not in (1, 3, 254, 255):
            return False
    for number in range(records):
        if not _skip_name(reader):
            return True
        kind, network, ttl, size = RECORD.unpack(reader.take(RECORD.size))
        content = reader.take(size)
        if kind == OPT:
            message.edns_size = network
        elif number < message.answers_announced:
            message.answers.append(Record(kind, ttl, content))
    return True


def _name(reader: Reader) -> bytes | None:
    """The name of a question with dots; None for a malformed one. Raises NeedData.

    It is the first name of its message, so there is none that it could point to.
    """
    labels: list[bytes] = []
    begin = reader.at
    while length := reader.number(1):
        if length > LONGEST_LABEL or reader.at - begin + length + 1 > LONGEST_NAME:
            return None
        labels.append(reader.take(length))
    return b".".join(labels)


def _skip_name(reader: Reader) -> bool:
    """Step over the name of a record without following where it points, which may be a long chain;
    False for a malformed one. Raises NeedData."""
    while length := reader.number(1):
        if length >= POINTER:
            reader.number(1)
            return True
        if length > LONGEST_LABEL:
            return False
        reader.take(length)
    return True


def split_tcp(data: bytes) -> list[bytes]:
    """The messages of a TCP stream (RFC 1035 section 4.2.2), the last perhaps torn."""
    reader, messages = Reader(data), []
    try:
        while reader:
            messages.append(reader.vector(2))
    except NeedData:
        pass
    return messages


def text_bytes(answers: list[Record]) -> int:
    """Bytes of all TXT records."""
    return sum(len(record.data) for record in answers if record.kind == TXT)
