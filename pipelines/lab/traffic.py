"""A day of one class: which hosts speak, when, and the frames of all they say."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from random import Random

from pipelines.generate.scapy_packets import Endpoint, Frame, tcp_conversation, udp_conversation
from pipelines.lab.behaviours import BEHAVIOURS
from pipelines.lab.exchanges import SECOND, Conversation
from pipelines.lab.payloads import spread

CLIENTS, LOCAL_SERVERS, REMOTE_SERVERS = 8, 3, 9
FIRST_HOUR, HOURS = 8, 10
IPV6_SHARE = 0.25
GATEWAY_MAC = "02:00:00:00:00:fe"


@dataclass(frozen=True)
class Host:
    """A machine of the lab. Every one of them takes part in every class: no address tells."""

    mac: str
    ipv4: str
    ipv6: str
    ttl: int
    window: int
    timestamps: bool
    round_trip_us: int

    def endpoint(self, port: int, ipv6: bool) -> Endpoint:
        """This host at ``port``, over IPv6 or IPv4."""
        address = self.ipv6 if ipv6 else self.ipv4
        return Endpoint(self.mac, address, port, self.ttl, self.window, self.timestamps)


def clients() -> list[Host]:
    """The workstations: two operating systems, one network."""
    return [_local(number, ttl=128 if number % 2 else 64) for number in range(1, CLIENTS + 1)]


def servers() -> list[Host]:
    """Servers of the site, and others behind the gateway at several distances."""
    local = [_local(200 + number, ttl=64) for number in range(LOCAL_SERVERS)]
    return local + [_remote(number) for number in range(1, REMOTE_SERVERS + 1)]


def day_of_traffic(name: str, day: date, conversations: int, seed: int) -> list[Frame]:
    """The frames of class ``name`` on ``day`` in time order; the same for the same arguments."""
    frames: list[Frame] = []
    for number in range(conversations):
        # A text seeds the same stream on every machine, and each conversation has its own.
        random = Random(f"{seed} {name} {day} {number}")  # noqa: S311
        frames += _frames(BEHAVIOURS[name](random), day, random)
    return sorted(frames, key=lambda frame: frame.time_us)


def _frames(conversation: Conversation, day: date, random: Random) -> list[Frame]:
    host, other, ipv6 = random.choice(clients()), random.choice(servers()), random.random()
    client = host.endpoint(random.randrange(32_768, 61_000), ipv6 < IPV6_SHARE)
    server = other.endpoint(conversation.port, ipv6 < IPV6_SHARE)
    midnight = datetime.combine(day, time(FIRST_HOUR), UTC)
    start = int(midnight.timestamp()) * SECOND + random.randrange(HOURS * 3600 * SECOND)
    round_trip = spread(random, other.round_trip_us, 1.2, SECOND)
    if conversation.transport == "udp":
        return udp_conversation(
            client,
            server,
            conversation.turns,
            start_us=start,
            round_trip_us=round_trip,
            random=random,
        )
    return tcp_conversation(
        client,
        server,
        conversation.turns,
        start_us=start,
        round_trip_us=round_trip,
        random=random,
        opening=conversation.opening,
        closing=conversation.closing,
    )


def _local(number: int, ttl: int) -> Host:
    return Host(
        mac=f"02:00:00:00:00:{number:02x}",
        ipv4=f"10.20.0.{number}",
        ipv6=f"2001:db8:20::{number:x}",
        ttl=ttl,
        window=64_240 if ttl == 64 else 65_280,
        timestamps=ttl == 64,
        round_trip_us=900,
    )


def _remote(number: int) -> Host:
    return Host(
        mac=GATEWAY_MAC,
        ipv4=f"198.51.100.{10 * number}",
        ipv6=f"2001:db8:51::{number:x}",
        ttl=64 - 5 - number,
        window=65_160,
        timestamps=number % 4 != 0,
        round_trip_us=6_000 * number,
    )
