"""Addresses in sentences, host names and URLs."""

import re
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.privacy.addresses import Anonymiser
from pipelines.privacy.texts import anonymous_text

ANONYMISER = Anonymiser(bytes(range(32)))


def other(text: str) -> str:
    return anonymous_text(text, ANONYMISER)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("from 10.0.0.1, then", "10.0.0.1"),
        ("It was 10.0.0.1.", "10.0.0.1"),
        ("http://10.0.0.1:8080/x", "10.0.0.1"),
        ("ip-10-0-0-1.corp.example", "10-0-0-1"),
        ("host_10_0_0_1", "10_0_0_1"),
        ("010.000.000.001", "010.000.000.001"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1"),
        ("at ::ffff:10.0.0.1 now", "10.0.0.1"),
        ("00:1a:2b:3c:4d:5e", "3c:4d:5e"),
        ("00-11-22-33-44-55", "44-55"),
        ("aabb.ccdd.eeff", "ccdd"),
    ],
)
def test_an_address_is_not_in_what_comes_out(text: str, address: str) -> None:
    assert address in text
    assert address not in other(text)


def test_what_stands_around_an_address_stays() -> None:
    assert re.fullmatch(
        r"GET http://\d+\.\d+\.\d+\.\d+:8080/x", other("GET http://10.0.0.1:8080/x")
    )
    assert re.fullmatch(r"ip-\d+-\d+-\d+-\d+\.corp", other("ip-10-0-0-1.corp"))


@pytest.mark.parametrize(
    "text",
    ["12:34:56", "2024-01-02 10:11:12", "1.2.3", "999.1.1.1", "1.3.6.1.4.1.311", "std::vector", ""],
)
def test_what_is_no_address_is_left_alone(text: str) -> None:
    assert other(text) == text


def test_the_same_address_becomes_the_same_one_however_it_is_written() -> None:
    turned = str(ANONYMISER.ip(IPv4Address("10.0.0.1")))
    assert other("10.0.0.1 ::ffff:10.0.0.1") == f"{turned} {turned}"
    assert other("10-0-0-1") == turned.replace(".", "-")
    assert other("2001:DB8:0::7") == str(ANONYMISER.ip(IPv6Address("2001:db8::7")))


@given(st.text(st.sampled_from("0123456789abcdef:.-% g"), max_size=60))
def test_any_text_ends_in_a_text(text: str) -> None:
    assert other(text) == other(text)
