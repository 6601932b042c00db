"""What hosts do: every behaviour stays in its bounds, and classes overlap as they should."""

from random import Random
from statistics import mean, stdev

import dpkt
import pytest

from pipelines.generate.scapy_packets import tcp_conversation, udp_conversation
from pipelines.lab.behaviours import ATTACKS, BEHAVIOURS
from pipelines.lab.exchanges import LONGEST_PAUSE, Conversation, count, steady
from pipelines.lab.traffic import clients, servers

DRAWS = 60


def drawn(name: str) -> list[Conversation]:
    return [BEHAVIOURS[name](Random(f"{name} {number}")) for number in range(DRAWS)]


@pytest.fixture(scope="module")
def conversations() -> dict[str, list[Conversation]]:
    return {name: drawn(name) for name in BEHAVIOURS}


def test_a_conversation_stays_one_flow(conversations):
    """No pause reaches two minutes and nothing lasts half an hour: the usual flow time-outs."""
    for name, some in conversations.items():
        for conversation in some:
            pauses = [turn.pause_us for turn in conversation.turns]
            assert all(0 <= pause <= LONGEST_PAUSE for pause in pauses), name
            assert sum(pauses) < 1_500_000_000, name


def test_conversations_are_short_enough_for_a_lab(conversations):
    for name, some in conversations.items():
        said = [sum(len(turn.payload) for turn in c.turns) for c in some]
        assert max(said) < 200_000, name
        assert all(turn.payload for c in some for turn in c.turns), name


@pytest.mark.parametrize(
    ("port", "classes"),
    [
        (443, {"web", "backup", "scan", "c2_beacon", "exfiltration"}),
        (22, {"ssh", "backup", "scan", "brute_force", "exfiltration"}),
        (143, {"mail", "scan", "brute_force"}),
        (53, {"dns", "scan", "dns_tunnel"}),
    ],
)
def test_good_and_evil_share_their_ports(conversations, port, classes):
    using = {name for name, some in conversations.items() if any(c.port == port for c in some)}
    assert using == classes


def test_connections_fail_in_every_class_that_uses_tcp():
    for name in BEHAVIOURS:
        some = [BEHAVIOURS[name](Random(number)) for number in range(200)]
        over_tcp = [c for c in some if c.transport == "tcp"]
        if over_tcp:
            assert any(c.opening != "accepted" for c in over_tcp), name


@pytest.mark.parametrize("benign, attack", [("dns", "dns_tunnel")])
def test_query_lengths_overlap(conversations, benign, attack):
    def lengths(name):
        return sorted(
            len(turn.payload) for c in conversations[name] for turn in c.turns if turn.from_client
        )

    ordinary, smuggled = lengths(benign), lengths(attack)
    assert ordinary[-1] > smuggled[len(smuggled) // 2]
    assert smuggled[0] < ordinary[len(ordinary) // 2] * 2


def test_a_steady_pause_has_the_deviation_asked_for():
    random = Random(1)
    calm = [steady(random, 5_000_000, 0.05) for _ in range(200)]
    assert 4_900_000 < mean(calm) < 5_100_000
    assert 0.04 < stdev(calm) / mean(calm) < 0.06
    assert steady(Random(1), 5_000_000, 50.0) in range(1_000, LONGEST_PAUSE + 1)


def test_counts_stay_in_their_bounds():
    random = Random(2)
    numbers = [count(random, 3, 8) for _ in range(500)]
    assert (min(numbers), max(numbers)) == (1, 8)
    assert 2.3 < sum(numbers) / len(numbers) < 3.5


def test_dns_messages_parse_and_answers_match_their_questions(conversations):
    for name in ("dns", "dns_tunnel"):
        for conversation in conversations[name]:
            asked = {}
            for turn in conversation.turns:
                message = dpkt.dns.DNS(turn.payload)
                question = message.qd[0]
                assert len(question.name) <= 253
                assert all(0 < len(label) <= 63 for label in question.name.split("."))
                if turn.from_client:
                    asked[message.id] = question.name
                else:
                    assert asked[message.id] == question.name


def test_hosts_are_distinct_and_in_documentation_ranges():
    hosts = clients() + servers()
    assert len({host.ipv4 for host in hosts}) == len({host.ipv6 for host in hosts}) == len(hosts)
    assert all(host.ipv4.startswith(("10.20.0.", "198.51.100.")) for host in hosts)
    assert all(host.ipv6.startswith("2001:db8:") for host in hosts)


@pytest.mark.parametrize("name", list(BEHAVIOURS))
def test_every_behaviour_becomes_frames(name):
    client, server = clients()[0], servers()[0]
    for conversation in drawn(name)[:6]:
        ends = client.endpoint(40_000, False), server.endpoint(conversation.port, False)
        random = Random(1)
        if conversation.transport == "udp":
            frames = udp_conversation(
                *ends, conversation.turns, start_us=0, round_trip_us=1, random=random
            )
            assert len(frames) == len(conversation.turns)
        else:
            frames = tcp_conversation(
                *ends,
                conversation.turns,
                start_us=0,
                round_trip_us=1,
                random=random,
                opening=conversation.opening,
                closing=conversation.closing,
            )
            assert len(frames) >= max(1, len(conversation.turns))


def test_attacks_are_behaviours():
    assert set(ATTACKS) < set(BEHAVIOURS)
