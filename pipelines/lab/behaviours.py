"""What hosts do: one function a class, each drawing one conversation.

The classes overlap on purpose. Every malicious behaviour has an innocent one on the same ports with
the same handshakes and with sizes, gaps and counts from overlapping distributions; what tells them
apart is how these go together (steady gaps *and* small answers, many uploads *and* no negotiation).
"""

from collections.abc import Callable
from random import Random

from pipelines.generate.scapy_packets import Turn
from pipelines.lab.exchanges import (
    IMAP,
    LONGEST_PAUSE,
    MILLISECOND,
    SECOND,
    SMTP,
    Conversation,
    answered_after,
    carrier,
    closing,
    count,
    letter,
    login_pause,
    login_sizes,
    lookups,
    mail_exchange,
    mail_greeting,
    mail_pause,
    plain_name,
    refusal_pause,
    ssh_exchange,
    steady,
    tcp,
    tls_exchange,
)
from pipelines.lab.payloads import query_name, spread, ssh_handshake, tls_handshake


def web(random: Random) -> Conversation:
    """Pages; and behind some pages an interface that is polled, or an upload."""
    shape = random.choices(("pages", "poll", "upload"), (64, 18, 18))[0]
    turns = tls_handshake(random)
    for _ in range(count(random, 3, 8) if shape == "pages" else 1):
        pause = spread(random, 250 * MILLISECOND, 6, LONGEST_PAUSE)
        sizes = spread(random, 380, 1.6, 1_300), spread(random, 3_500, 3, 24_000)
        turns += tls_exchange(random, *sizes, pause)
    if shape == "poll":
        interval, jitter = spread(random, 5 * SECOND, 2.5, 40 * SECOND), random.uniform(0.3, 0.9)
        held = random.random() < 0.5  # the server keeps the question until there is an answer
        for _ in range(count(random, 6, 12)):
            pause = steady(random, interval, jitter)
            sizes = spread(random, 300, 1.7, 1_300), spread(random, 450, 3, 9_000)
            if held:
                turns += answered_after(pause, tls_exchange(random, *sizes, 9 * MILLISECOND))
            else:
                turns += tls_exchange(random, *sizes, pause)
    if shape == "upload":
        for _ in range(count(random, 2, 6)):
            pause = spread(random, 400 * MILLISECOND, 5, LONGEST_PAUSE)
            sizes = spread(random, 4_000, 2.2, 16_000), spread(random, 300, 2, 3_000)
            turns += tls_exchange(random, *sizes, pause)
    return tcp(random, (443, 443, 443, 8443), turns)


def c2_beacon(random: Random) -> Conversation:
    """An implant that asks for work at steady intervals and now and then gets and returns some."""
    turns = tls_handshake(random)
    interval = spread(random, 6 * SECOND, 2.5, 45 * SECOND)
    jitter = random.choice((0.02, 0.05, 0.1))
    report = spread(random, 260, 1.5, 1_000)
    for _ in range(2 + count(random, 5, 10)):
        task = random.random() < 0.12
        asked = report + random.randrange(24)
        answered = spread(random, 2_200 if task else 330, 1.8, 9_000)
        turns += tls_exchange(random, asked, answered, steady(random, interval, jitter))
        if task:
            result = spread(random, 1_800, 2.5, 9_000)
            done = spread(random, 500 * MILLISECOND, 4, 20 * SECOND)
            turns += tls_exchange(random, result, spread(random, 120, 1.6, 600), done)
    return tcp(random, (443, 443, 443, 8443), turns)


def backup(random: Random) -> Conversation:
    """What changed is negotiated first, then sent in blocks that are confirmed; or restored."""
    exchange, turns, port = carrier(random)
    restore = random.random() < 0.12
    for _ in range(1 + count(random, 2.5, 6)):
        sizes = spread(random, 420, 1.8, 3_000), spread(random, 650, 2, 4_000)
        turns += exchange(random, *sizes, spread(random, 25 * MILLISECOND, 4, 2 * SECOND))
    for _ in range(count(random, 3, 8)):
        sent, confirmed = spread(random, 4_200, 1.8, 12_000), spread(random, 110, 1.5, 500)
        sizes = (confirmed, sent) if restore else (sent, confirmed)
        turns += exchange(random, *sizes, spread(random, 40 * MILLISECOND, 5, 20 * SECOND))
    return tcp(random, (port,), turns)


def exfiltration(random: Random) -> Conversation:
    """Files leave at once, in pieces and often slowly, to a place that only says thanks."""
    exchange, turns, port = carrier(random)
    slow = random.choice((60, 400, 2_000)) * MILLISECOND
    for _ in range(1 + count(random, 3, 8)):
        sizes = spread(random, 3_600, 2.2, 12_000), spread(random, 150, 1.7, 900)
        turns += exchange(random, *sizes, spread(random, slow, 3, LONGEST_PAUSE))
    return tcp(random, (port,), turns)


def ssh(random: Random) -> Conversation:
    """People at a shell, and programs that run a few commands."""
    turns = ssh_handshake(random)
    if random.random() < 0.1:
        mistyped = ssh_exchange(random, *login_sizes(random), login_pause(random))
        turns += answered_after(refusal_pause(random), mistyped)
    turns += ssh_exchange(random, *login_sizes(random), login_pause(random))
    if random.random() < 0.55:
        for _ in range(count(random, 7, 20)):
            answer = 36 if random.random() < 0.6 else spread(random, 260, 2.5, 4_000)
            pause = spread(random, 220 * MILLISECOND, 2.5, 30 * SECOND)
            turns += ssh_exchange(random, random.choice((36, 36, 44, 52)), answer, pause)
    else:
        for _ in range(1 + count(random, 4, 8)):
            sizes = spread(random, 220, 1.9, 1_400), spread(random, 600, 3, 9_000)
            turns += ssh_exchange(random, *sizes, spread(random, 35 * MILLISECOND, 4, 9 * SECOND))
    return tcp(random, (22,), turns)


def brute_force(random: Random) -> Conversation:
    """One wrong password after the other, for a shell or a mailbox."""
    attempts, haste = 1 + count(random, 3, 6), random.choice((20, 90, 400)) * MILLISECOND
    if random.random() < 0.6:
        turns, ports = ssh_handshake(random), (22,)
        for _ in range(attempts):
            attempt = ssh_exchange(random, *login_sizes(random), spread(random, haste, 2, SECOND))
            turns += answered_after(refusal_pause(random), attempt)
        return tcp(random, ports, turns)
    dialect = random.choice((SMTP, IMAP))
    turns = mail_greeting(random, dialect)
    for _ in range(attempts):
        pause = spread(random, haste, 2, SECOND)
        attempt = mail_exchange(random, dialect.login, dialect.refused, pause)
        turns += answered_after(refusal_pause(random), attempt)
    return tcp(random, dialect.ports, turns)


def mail(random: Random) -> Conversation:
    """Letters handed in and mailboxes read, in the clear or inside TLS."""
    if random.random() < 0.45:
        return tcp(random, (993, 465, 587), _mail_in_tls(random))
    dialect = random.choice((SMTP, IMAP))
    turns = mail_greeting(random, dialect)
    if random.random() < 0.5:
        if random.random() < 0.2:
            mistyped = mail_exchange(random, dialect.login, dialect.refused, login_pause(random))
            turns += answered_after(refusal_pause(random), mistyped)
        turns += mail_exchange(random, dialect.login, dialect.accepted, login_pause(random))
    for _ in range(count(random, 3, 8)):
        turns += mail_exchange(random, *random.choice(dialect.commands), mail_pause(random))
    if random.random() < 0.8:
        turns += letter(random, dialect)
    return tcp(random, dialect.ports, turns)


def scan(random: Random) -> Conversation:
    """One probe: is the port open, who answers, in which version."""
    port = random.choice((22, 22, 25, 143, 443, 443, 587, 993, 8443))
    shapes = ("refused", "unanswered", "half open", "greeting", "name")
    shape = random.choices(shapes, (26, 22, 16, 30, 6))[0]
    if shape == "refused":
        return Conversation("tcp", port, opening="refused")
    if shape == "unanswered":
        return Conversation("tcp", port, opening="unanswered")
    if shape == "half open":
        return Conversation("tcp", port, opening="abandoned")
    if shape == "name":
        return Conversation("udp", 53, lookups(random, 1, plain_name))
    turns = _greeting_of(random, port)
    # Some stop after the greeting, some ask on to learn the version behind it.
    return Conversation(
        "tcp", port, turns[: random.randint(2, len(turns))], closing=closing(random)
    )


def dns(random: Random) -> Conversation:
    """Names looked up: short ones, and the long coded ones of content networks and virus checks."""

    def name(random: Random) -> str:
        if random.random() < 0.7:
            return plain_name(random)
        return query_name(random, [spread(random, 24, 1.5, 52)] * random.choice((1, 1, 2)))

    return Conversation("udp", 53, lookups(random, count(random, 2.2, 8), name))


def dns_tunnel(random: Random) -> Conversation:
    """Bytes carried out in coded names and back in their answers."""

    def name(random: Random) -> str:
        return query_name(random, [spread(random, 30, 1.5, 60)] * random.choice((1, 2, 2, 2, 3)))

    return Conversation("udp", 53, lookups(random, count(random, 3.2, 9), name))


BEHAVIOURS: dict[str, Callable[[Random], Conversation]] = {
    behaviour.__name__: behaviour
    for behaviour in (
        web,
        dns,
        mail,
        ssh,
        backup,
        scan,
        brute_force,
        dns_tunnel,
        c2_beacon,
        exfiltration,
    )
}
ATTACKS = ("scan", "brute_force", "dns_tunnel", "c2_beacon", "exfiltration")


def _greeting_of(random: Random, port: int) -> list[Turn]:
    """How the service behind ``port`` begins."""
    if port == 22:
        return ssh_handshake(random)
    if port in (443, 993, 8443):
        return tls_handshake(random)
    return mail_greeting(random, IMAP if port in IMAP.ports else SMTP)


def _mail_in_tls(random: Random) -> list[Turn]:
    """A mailbox read over TLS: short commands, short answers, and letters among them."""
    turns = tls_handshake(random)
    for _ in range(count(random, 4, 9)):
        is_letter = random.random() < 0.3
        answered = spread(random, 3_500 if is_letter else 140, 2, 14_000)
        turns += tls_exchange(random, spread(random, 90, 1.6, 700), answered, mail_pause(random))
    return turns
