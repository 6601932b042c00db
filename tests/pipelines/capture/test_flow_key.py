"""5-tuples that are the same in both directions, their hash, and grouping when hashes collide."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.capture.flow_key import FlowKeys, flow_keys, group_packets

HOSTS = st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.1.1", "200.0.0.1"])
PORTS = st.sampled_from([0, 1, 80, 65535])
PACKETS = st.lists(st.tuples(HOSTS, HOSTS, PORTS, PORTS, st.booleans()), min_size=1, max_size=30)


def keys_of(make, packets) -> FlowKeys:
    frames = [
        make.ethernet(make.ipv4(layer(sport, dport), src=src, dst=dst, protocol=protocol))
        for src, dst, sport, dport, is_tcp in packets
        for layer, protocol in [(make.tcp, 6) if is_tcp else (make.udp, 17)]
    ]
    batch, _ = make.decode(make.pcap(*enumerate(frames)))
    return flow_keys(batch, slice(None))


def canonical(packet) -> tuple:
    src, dst, sport, dport, is_tcp = packet
    return (*sorted([(src, sport), (dst, dport)]), is_tcp)


def grouping(keys: FlowKeys, count: int) -> list[int]:
    order, first = group_packets(keys)
    groups = np.empty(count, int)
    groups[order] = np.cumsum(first)
    within = [order[groups[order] == group].tolist() for group in np.unique(groups)]
    assert all(rows == sorted(rows) for rows in within)
    return groups.tolist()


def assert_groups(groups: list[int], packets) -> None:
    for one, packet in zip(groups, packets, strict=True):
        for other, another in zip(groups, packets, strict=True):
            assert (one == other) == (canonical(packet) == canonical(another))


@given(PACKETS)
def test_packets_are_grouped_by_what_both_directions_share(make, packets):
    keys = keys_of(make, packets)
    assert_groups(grouping(keys, len(packets)), packets)
    packed = keys.packed(np.arange(len(packets)))
    for key, value, packet in zip(packed, keys.hash, packets, strict=True):
        for other, another, also in zip(packed, keys.hash, packets, strict=True):
            assert (key == other) == (value == another) == (canonical(packet) == canonical(also))


@given(PACKETS)
def test_hashes_that_collide_do_not_merge_flows(make, packets):
    keys = keys_of(make, packets)
    collided = replace(keys, hash=keys.hash & 1)
    assert_groups(grouping(collided, len(packets)), packets)


def test_the_two_directions_differ_in_who_sent(make):
    keys = keys_of(
        make, [("10.0.0.1", "10.0.0.2", 1, 2, True), ("10.0.0.2", "10.0.0.1", 2, 1, True)]
    )
    assert keys.swapped.tolist() == [False, True]
    assert keys.hash[0] == keys.hash[1]


def test_hashes_do_not_change_between_versions(make):
    # Rows on disk and split manifests name flows by their hash.
    keys = keys_of(make, [("10.0.0.1", "10.0.0.2", 1, 2, True)])
    assert keys.hash.tolist() == [-7319136321322064069]
