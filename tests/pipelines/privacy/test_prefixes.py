"""Anonymous addresses against the published results of Crypto-PAn, and what they must keep."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.privacy.addresses import Anonymiser, mac_text
from pipelines.privacy.prefixes import PrefixKeeper

# The key and the addresses that Crypto-PAn's authors publish with their program.
KEY = bytes.fromhex("1522178d33a4cf80130a5b1649907d10d8988f837979652762574c2d2a842202")
PUBLISHED = {
    "128.11.68.132": "135.242.180.132",
    "129.118.74.4": "134.136.186.123",
    "130.132.252.244": "133.68.164.234",
    "141.223.7.43": "141.167.8.160",
    "141.233.145.108": "141.129.237.235",
    "152.163.225.39": "151.140.114.167",
    "156.29.3.236": "147.225.12.42",
    "165.247.96.84": "162.9.99.234",
    "166.107.77.190": "160.132.178.185",
    "192.102.249.13": "252.138.62.131",
    "192.215.32.125": "252.43.47.189",
    "192.233.80.103": "252.25.108.8",
    "192.41.57.43": "252.222.221.184",
    "193.150.244.223": "253.169.52.216",
    "::1": "78ff:f001:9fc0:20df:8380:b1f1:704:ed",
    "::2": "78ff:f001:9fc0:20df:8380:b1f1:704:ef",
    "::ffff": "78ff:f001:9fc0:20df:8380:b1f1:704:f838",
    "2001:db8::1": "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1e",
    "2001:db8::2": "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1c",
}
ANONYMISER = Anonymiser(KEY)
MACS = st.integers(1, (1 << 48) - 1)


@pytest.mark.parametrize("address", PUBLISHED)
def test_published_addresses(address: str) -> None:
    assert str(ANONYMISER.ip(ip_address(address))) == PUBLISHED[address]


def shared_bits(one: int, other: int, width: int) -> int:
    return width - (one ^ other).bit_length()


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_two_ipv4_addresses_share_as_many_bits_as_before(one: int, noise: int, cut: int) -> None:
    other = one ^ (noise >> cut)
    turned = [int(ANONYMISER.ip(IPv4Address(each))) for each in (one, other)]
    assert shared_bits(*turned, 32) == shared_bits(one, other, 32)


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**128 - 1), st.integers(0, 128))
def test_two_ipv6_addresses_share_as_many_bits_as_before(one: int, noise: int, cut: int) -> None:
    other = one ^ (noise >> cut)
    turned = [int(ANONYMISER.ip(IPv6Address(each))) for each in (one, other)]
    assert shared_bits(*turned, 128) == shared_bits(one, other, 128)


def test_a_whole_network_stays_a_whole_network() -> None:
    """One to one: 256 addresses of a /24 become 256 addresses of another."""
    turned = {int(ANONYMISER.ip(IPv4Address(f"10.1.2.{host}"))) for host in range(256)}
    assert len(turned) == 256
    assert len({address >> 8 for address in turned}) == 1
    assert IPv4Address("10.1.2.0") not in {IPv4Address(address & ~0xFF) for address in turned}


def test_the_key_decides_and_nothing_else() -> None:
    address = IPv4Address("192.0.2.7")
    assert Anonymiser(KEY).ip(address) == ANONYMISER.ip(address)
    assert Anonymiser(bytes(32)).ip(address) != ANONYMISER.ip(address)


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        PrefixKeeper(bytes(length))


def test_an_ipv4_address_of_rows_is_turned_as_one() -> None:
    packed = bytes(10) + b"\xff\xff" + IPv4Address("128.11.68.132").packed
    assert ANONYMISER.packed(packed) == "135.242.180.132"
    assert ANONYMISER.packed(IPv6Address("::1").packed) == PUBLISHED["::1"]


@given(MACS, MACS)
def test_a_mac_keeps_its_vendor_and_its_flags(one: int, other: int) -> None:
    turned = ANONYMISER.mac(one)
    kept = 40 if one & 0x02 << 40 else 24
    assert turned >> kept == one >> kept
    assert (ANONYMISER.mac(other) == turned) == (other == one)


def test_a_mac_that_its_host_made_up_loses_all_but_its_flags() -> None:
    made_up = 0x02AABBCCDDEE
    assert mac_text(ANONYMISER.mac(made_up)).startswith("02:")
    assert ANONYMISER.mac(made_up) >> 24 != made_up >> 24


def test_no_mac_stays_no_mac() -> None:
    assert ANONYMISER.mac(0) == 0
