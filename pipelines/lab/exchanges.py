"""The pieces that conversations are made of: exchanges, pauses, dialects, ways to begin and end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from pipelines.generate.scapy_packets import Closing, Opening, Turn, dns_answer, dns_query
from pipelines.lab.payloads import (
    WORDS,
    coded_label,
    domain,
    encrypted,
    query_name,
    spread,
    ssh_handshake,
    tls_handshake,
    tls_records,
)

MILLISECOND = 1_000
SECOND = 1_000_000
LONGEST_PAUSE = 55 * SECOND  # below the usual idle time-outs: a conversation stays one flow

FAILED = 0.03
"""How often a service does not answer or refuses, whoever asks: a scan is not alone in that."""


@dataclass(frozen=True)
class Conversation:
    """One conversation before it has hosts and a time."""

    transport: Literal["tcp", "udp"]
    port: int
    turns: list[Turn] = field(default_factory=list)
    opening: Opening = "accepted"
    closing: Closing = "fin"


@dataclass(frozen=True)
class Dialect:
    """How a mail protocol says things in the clear: commands and the answers to them."""

    ports: tuple[int, ...]
    greeting: str
    hello: tuple[str, str]
    login: str
    accepted: str
    refused: str
    commands: tuple[tuple[str, str], ...]
    letter_from_client: bool
    received: str


SMTP = Dialect(
    ports=(25, 25, 587),
    greeting="220",
    hello=("EHLO", "250"),
    login="AUTH PLAIN",
    accepted="235 2.7.0",
    refused="535 5.7.8",
    commands=(("MAIL FROM", "250 2.1.0"), ("RCPT TO", "250 2.1.5"), ("NOOP", "250 2.0.0")),
    letter_from_client=True,
    received="250 2.0.0",
)
IMAP = Dialect(
    ports=(143,),
    greeting="* OK",
    hello=("a1 CAPABILITY", "a1 OK"),
    login="a2 LOGIN",
    accepted="a2 OK",
    refused="a2 NO",
    commands=(("a3 SELECT", "a3 OK"), ("a4 STATUS", "a4 OK"), ("a5 NOOP", "a5 OK")),
    letter_from_client=False,
    received="a6 OK",
)


def count(random: Random, mean: float, most: int) -> int:
    """A geometric number from 1, of the given mean before it is cut at ``most``."""
    return min(most, 1 + int(random.expovariate(1 / (mean - 0.5))))


def steady(random: Random, interval: int, jitter: float) -> int:
    """A pause of about ``interval`` with a relative standard deviation of ``jitter``."""
    return max(MILLISECOND, min(LONGEST_PAUSE, round(interval * random.gauss(1, jitter))))


def tcp(random: Random, ports: tuple[int, ...], turns: list[Turn]) -> Conversation:
    """A conversation over TCP on one of ``ports``, which fails now and then before it begins."""
    port = random.choice(ports)
    if random.random() < FAILED:
        return Conversation("tcp", port, opening=random.choice(("refused", "unanswered")))
    return Conversation("tcp", port, turns, closing=closing(random))


def closing(random: Random) -> Closing:
    """Mostly an orderly end, sometimes a reset or none within the capture."""
    endings: tuple[Closing, ...] = ("fin", "client_reset", "server_reset", "open")
    return random.choices(endings, (70, 10, 12, 8))[0]


def carrier(random: Random) -> tuple[Callable[..., list[Turn]], list[Turn], int]:
    """What carries a transfer: TLS or SSH, with its handshake and port."""
    if random.random() < 0.6:
        return tls_exchange, tls_handshake(random), random.choice((443, 443, 8443))
    turns = ssh_handshake(random)
    return ssh_exchange, turns + ssh_exchange(random, *login_sizes(random), 40_000), 22


def answer_pause(random: Random) -> int:
    """What a server thinks before it answers."""
    return spread(random, 12 * MILLISECOND, 2.5, 900 * MILLISECOND)


def tls_exchange(random: Random, asked: int, answered: int, pause: int) -> list[Turn]:
    """``asked`` bytes to the server after ``pause`` and ``answered`` bytes back, inside TLS."""
    return [
        Turn(True, tls_records(random, asked), pause),
        Turn(False, tls_records(random, answered), answer_pause(random)),
    ]


def ssh_exchange(random: Random, asked: int, answered: int, pause: int) -> list[Turn]:
    """``asked`` bytes to the server after ``pause`` and ``answered`` bytes back, inside SSH."""
    return [
        Turn(True, encrypted(random, asked), pause),
        Turn(False, encrypted(random, answered), answer_pause(random)),
    ]


def login_sizes(random: Random) -> tuple[int, int]:
    """A login request and its answer: yes and no are equally long."""
    return random.choice((84, 100, 116, 148, 164, 372)), random.choice((36, 44, 52, 60))


def login_pause(random: Random) -> int:
    """Before a password is sent: a person types it, a program has it at hand."""
    return spread(random, 350 * MILLISECOND, 4, 20 * SECOND)


def refusal_pause(random: Random) -> int:
    """What a server waits before it says that a password is wrong."""
    return spread(random, 700 * MILLISECOND, 2, 6 * SECOND)


def answered_after(pause: int, turns: list[Turn]) -> list[Turn]:
    """The same exchange with its answer after ``pause``."""
    *before, answer = turns
    return [*before, answer._replace(pause_us=pause)]


def mail_pause(random: Random) -> int:
    """Between the commands of a mail program."""
    return spread(random, 60 * MILLISECOND, 5, 20 * SECOND)


def mail_exchange(random: Random, verb: str, code: str, pause: int) -> list[Turn]:
    """A command of a mail client and the server's answer, both with something of their own."""
    argument = f" {random.choice(WORDS)}@{domain(random)}" if random.random() < 0.7 else ""
    return [
        Turn(True, f"{verb}{argument}\r\n".encode(), pause),
        Turn(False, _remark(random, code), answer_pause(random)),
    ]


def mail_greeting(random: Random, dialect: Dialect) -> list[Turn]:
    """What both sides say before anything is asked."""
    greeting = Turn(False, _remark(random, dialect.greeting), answer_pause(random))
    return [greeting, *mail_exchange(random, *dialect.hello, mail_pause(random))]


def letter(random: Random, dialect: Dialect) -> list[Turn]:
    """A letter handed in or fetched, and what the server says to that."""
    text = random.randbytes(spread(random, 1_200, 2.5, 7_000)).hex().encode()
    return [
        Turn(dialect.letter_from_client, text, mail_pause(random)),
        Turn(False, _remark(random, dialect.received), answer_pause(random)),
    ]


def plain_name(random: Random) -> str:
    """A name as people type it."""
    return random.choice(("www.", "api.", "mail.", "")) + domain(random)


def lookups(random: Random, count: int, name: Callable[[Random], str]) -> list[Turn]:
    """``count`` queries over one socket and their answers, of which some never come."""
    turns: list[Turn] = []
    for _ in range(count):
        asked = name(random)
        kind = random.choices(("A", "AAAA", "TXT", "CNAME"), (45, 20, 20, 15))[0]
        identifier = random.getrandbits(16)
        pause = spread(random, 300 * MILLISECOND, 6, LONGEST_PAUSE) if turns else 0
        turns.append(Turn(True, dns_query(identifier, asked, kind), pause))
        if random.random() < 0.93:
            values = [_value(random, kind) for _ in range(_values(random, kind))]
            answer = dns_answer(identifier, asked, kind, values, random.choice((30, 60, 300, 3600)))
            turns.append(Turn(False, answer, spread(random, 4 * MILLISECOND, 3, SECOND)))
    return turns


def _values(random: Random, kind: str) -> int:
    if random.random() < 0.08:
        return 0
    return random.choice((1, 1, 2, 3, 4)) if kind in ("A", "AAAA") else 1


def _value(random: Random, kind: str) -> str | bytes:
    if kind == "A":
        return f"203.0.113.{random.randrange(1, 255)}"
    if kind == "AAAA":
        return f"2001:db8:{random.randrange(1 << 16):x}::{random.randrange(1, 1 << 16):x}"
    if kind == "CNAME":
        return query_name(random, [random.randrange(8, 40)])
    return random.randbytes(spread(random, 50, 2, 120)).hex().encode()


def _remark(random: Random, code: str) -> bytes:
    """A server's line: its code and a text that names a queue, a session or a host."""
    name = coded_label(random, random.randrange(8, 28))
    return f"{code} {random.choice(WORDS)} {name}\r\n".encode()
