import numpy as np
import pytest

from pipelines.cleaning.background import PROTOCOLS, background_rows, shared_protocols
from pipelines.cleaning.filters import Filter, choose, find, propose_filters
from pipelines.cleaning.kinds import Pool

UDP, ICMPV6 = 17, 58


@pytest.mark.parametrize(
    ("protocol", "source", "target", "icmp_type", "name"),
    [
        (UDP, 5000, 53, 0, None),
        (UDP, 68, 67, 0, "DHCP"),
        (UDP, 40000, 123, 0, "NTP"),
        (UDP, 5353, 5353, 0, "mDNS"),
        (6, 5353, 5353, 0, None),
        (UDP, 1900, 40000, 0, "SSDP"),
        (UDP, 137, 137, 0, "NetBIOS"),
        (UDP, 5355, 9, 0, "LLMNR"),
        (UDP, 546, 547, 0, "DHCPv6"),
        (UDP, 50000, 3702, 0, "WS-Discovery"),
        (UDP, 520, 520, 0, "RIP"),
        (UDP, 1985, 1985, 0, "HSRP"),
        (2, 0, 0, 0, "IGMP"),
        (89, 0, 0, 0, "OSPF"),
        (88, 0, 0, 0, "EIGRP"),
        (103, 0, 0, 0, "PIM"),
        (112, 0, 0, 0, "VRRP"),
        (ICMPV6, 0, 0, 135, "ICMPv6 neighbour discovery"),
        (ICMPV6, 0, 0, 143, "ICMPv6 multicast listeners"),
        (ICMPV6, 0, 0, 128, None),
        (1, 0, 0, 135, None),
    ],
)
def test_every_protocol_is_known_by_its_number(
    make_flows, protocol, source, target, icmp_type, name
) -> None:
    rows = make_flows(
        ["a"],
        protocol=[protocol],
        src_port=[source],
        dst_port=[target],
        icmp_type=[icmp_type],
    )
    place = background_rows(rows, list(PROTOCOLS))[0]
    assert (PROTOCOLS[place] if place >= 0 else None) == name
    hit = find(Pool(rows), Filter(name="background_protocols", params={"protocols": []})).hit
    assert not hit.any()


def test_what_one_class_of_several_speaks_is_its_behaviour(make_flows) -> None:
    """A flood over SSDP is no background; mDNS of two classes is."""
    rows = make_flows(
        ["flood"] * 3 + ["tv", "cam"],
        protocol=[UDP] * 5,
        src_port=[1900, 1900, 5353, 5353, 99],
    )
    assert shared_protocols(rows) == ["mDNS"]
    pool = Pool(rows)
    found = next(one for one in propose_filters(pool) if one.filter.name == "background_protocols")
    assert found.filter.params == {"protocols": ["mDNS"]}
    assert found.filter.rows == 2 and "mDNS 2 rows in 2 of 3 classes" in found.filter.reason
    assert list(found.finding.details or ()) == ["mDNS", "mDNS"]
    asked = choose(pool, "background_protocols", {"protocols": ["SSDP"]})
    assert np.flatnonzero(find(pool, asked).hit).tolist() == [0, 1]


def test_of_a_single_class_everything_known_is_background(make_flows) -> None:
    rows = make_flows(["a", "a"], protocol=[UDP, UDP], src_port=[68, 9])
    assert shared_protocols(rows) == ["DHCP"]
