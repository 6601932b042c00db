"""Community IDs against the values that the specification's own implementation prints."""

from ipaddress import ip_address

import pytest

from pipelines.capture import community_id


def address(text: str) -> bytes:
    ip = ip_address(text)
    return ip.packed if ip.version == 6 else b"\0" * 10 + b"\xff\xff" + ip.packed


@pytest.mark.parametrize(
    ("src", "dst", "src_port", "dst_port", "protocol", "expected"),
    [
        ("128.232.110.120", "66.35.250.204", 34855, 80, 6, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        ("192.168.1.52", "8.8.8.8", 54585, 53, 17, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
        ("192.168.0.89", "192.168.0.1", 8, 0, 1, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
        (
            "fe80::200:86ff:fe05:80da",
            "fe80::260:97ff:fe07:69ea",
            135,
            0,
            58,
            "1:dGHyGvjMfljg6Bppwm3bg0LO8TY=",
        ),
        ("192.168.170.8", "192.168.170.56", 7, 80, 132, "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ="),
    ],
)
def test_known_values_in_both_directions(src, dst, src_port, dst_port, protocol, expected):
    assert community_id(address(src), address(dst), src_port, dst_port, protocol) == expected
    if protocol not in (1, 58):
        assert community_id(address(dst), address(src), dst_port, src_port, protocol) == expected


@pytest.mark.parametrize(("protocol", "ask", "answer"), [(1, 8, 0), (1, 13, 14), (58, 128, 129)])
def test_an_answer_has_the_name_of_its_question(protocol, ask, answer):
    here, there = address("10.0.0.1"), address("10.0.0.2")
    question = community_id(here, there, ask, 0, protocol)
    assert question == community_id(there, here, answer, 0, protocol)


def test_icmp_without_an_answer_goes_one_way():
    here, there = address("10.0.0.1"), address("10.0.0.2")
    assert community_id(here, there, 3, 1, 1) != community_id(there, here, 3, 1, 1)


def test_a_protocol_without_ports_is_named_by_its_addresses():
    here, there = address("10.0.0.1"), address("10.0.0.2")
    assert community_id(here, there, 0, 0, 46) == community_id(there, here, 0, 0, 46)
    assert community_id(here, there, 0, 0, 46) != community_id(here, there, 0, 0, 47)


def test_the_seed_changes_the_name():
    here, there = address("10.0.0.1"), address("10.0.0.2")
    assert community_id(here, there, 1, 2, 6) != community_id(here, there, 1, 2, 6, seed=1)
