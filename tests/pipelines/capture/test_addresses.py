"""The text of addresses."""

from ipaddress import IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.capture import address_text


def test_ipv4_and_ipv6():
    assert address_text(b"\0" * 10 + b"\xff\xff\xc0\0\2\1") == "192.0.2.1"
    assert address_text(bytes.fromhex("20010db8") + bytes(11) + b"\1") == "2001:db8::1"
    assert address_text(bytes(16)) == "::"


@given(st.binary(min_size=16, max_size=16))
def test_the_text_names_the_address(address):
    ip = ip_address(address_text(address))
    packed = ip.packed if ip.version == 6 else b"\0" * 10 + b"\xff\xff" + ip.packed
    assert packed == IPv6Address(address).packed


@pytest.mark.parametrize("size", [0, 4, 15, 17])
def test_other_sizes_are_refused(size):
    with pytest.raises(ValueError, match=r"."):
        address_text(b"\1" * size)
