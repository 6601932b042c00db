"""QUIC Initial packets: the published test vectors of RFC 9001 (appendix A) and RFC 9369."""

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from pipelines.protocols import quic
from pipelines.protocols.say_tls import quic_row

CLIENT_ID = bytes.fromhex("8394c8f03e515708")
# RFC 9001 A.2: the CRYPTO frame of the client's first packet, and its header unprotected.
CLIENT_FRAMES = bytes.fromhex(
    "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c0000041301"
    "1302010000c000000010000e00000b6578616d706c652e636f6dff01000100000a00080006001d0017001800100007"
    "000504616c706e000500050100000000003300260024001d00209370b2c9caa47fbabaf4559fedba753de171fa71f5"
    "0f1ce15d43e994ec74d748002b0003020304000d0010000e0403050306030203080408050806002d00020101001c00"
    "024001003900320408ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f0"
    "3e51570806048000ffff"
)
CLIENT_HEADER = bytes.fromhex("c300000001088394c8f03e5157080000449e00000002")
# RFC 9001 A.3: the server's first packet as it travels.
SERVER_PACKET = bytes.fromhex(
    "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780b"
    "b38cc5a99f5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19"
    "fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee"
)


def protected(
    header: bytes, frames: bytes, keys: quic.Keys, number: int, number_bytes: int
) -> bytes:
    """A packet as RFC 9001 sections 5.3 and 5.4 protect it."""
    nonce = (int.from_bytes(keys.iv, "big") ^ number).to_bytes(12, "big")
    sealed = AESGCM(keys.key).encrypt(nonce, frames, header)
    sample = sealed[4 - number_bytes : 20 - number_bytes]
    mask = Cipher(algorithms.AES(keys.header), modes.ECB()).encryptor().update(sample)
    packet = bytearray(header + sealed)
    packet[0] ^= mask[0] & 0x0F
    for place in range(number_bytes):
        packet[len(header) - number_bytes + place] ^= mask[1 + place]
    return bytes(packet)


def initial(
    frames: bytes, version: int = 1, number: int = 0, client_id: bytes = CLIENT_ID
) -> bytes:
    """A client's Initial packet with a packet number of one byte."""
    keys, _ = quic.initial_keys(version, client_id)
    first = 0xD0 if version == quic.VERSION_2 else 0xC0
    length = len(frames) + 17
    header = bytes([first]) + version.to_bytes(4, "big") + bytes([len(client_id)]) + client_id
    header += b"\x00\x00" + (0x4000 | length).to_bytes(2, "big") + bytes([number])
    return protected(header, frames, keys, number, 1)


@pytest.fixture(scope="module")
def client_packet() -> bytes:
    keys, _ = quic.initial_keys(1, CLIENT_ID)
    return protected(CLIENT_HEADER, CLIENT_FRAMES.ljust(1162, b"\0"), keys, 2, 4)


def test_keys_of_version_1() -> None:
    client, server = quic.initial_keys(1, CLIENT_ID)
    assert client.key.hex() == "1f369613dd76d5467730efcbe3b1a22d"
    assert client.iv.hex() == "fa044b2f42a3fd3b46fb255c"
    assert client.header.hex() == "9f50449e04a0e810283a1e9933adedd2"
    assert server.key.hex() == "cf3a5331653c364c88f0f379b6067e37"
    assert server.iv.hex() == "0ac1493ca1905853b0bba03e"
    assert server.header.hex() == "c206b8d9b9f0f37644430b490eeaa314"


def test_keys_of_version_2() -> None:
    client, server = quic.initial_keys(quic.VERSION_2, CLIENT_ID)
    assert client.key.hex() == "8b1a0bc121284290a29e0971b5cd045d"
    assert client.iv.hex() == "91f73e2351d8fa91660e909f"
    assert client.header.hex() == "45b95e15235d6f45a6b19cbcb0294ba9"
    assert server.key.hex() == "82db637861d55e1d011f19ea71d5d2a7"


def test_a_version_without_a_salt_is_refused() -> None:
    with pytest.raises(ValueError, match="0x51303436"):
        quic.initial_keys(0x51303436, CLIENT_ID)
    assert not quic.is_quic(b"\xc0Q046" + bytes(40))


def test_the_client_packet_of_the_standard(client_packet: bytes) -> None:
    assert client_packet.hex().startswith(
        "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11d242b123dc9b"
    )
    assert client_packet.hex().endswith("e221af44860018ab0856972e194cd934")
    (packet,) = quic.initial_packets(client_packet)
    assert packet.destination == CLIENT_ID
    keys, _ = quic.initial_keys(1, CLIENT_ID)
    assert quic.open_packet(packet, keys).rstrip(b"\0") == CLIENT_FRAMES


def test_both_hellos_of_the_standard(client_packet: bytes) -> None:
    row = quic_row([client_packet], [SERVER_PACKET], 0)
    assert row["tls_sni"] == "example.com"
    assert row["tls_client_ciphers"] == "1301 1302"
    assert row["tls_client_alpn"] == "alpn"
    assert row["tls_ja4"].startswith("q13d0211an_")
    assert row["tls_server_cipher"] == "1301"
    assert row["tls_server_version"] == 0x0304
    assert row["quic_version"] == "00000001"
    assert row["quic_server_id_bytes"] == 8
    assert row["quic_client_id_bytes"] == 0
    assert row["quic_initial_packets"] == 1
    assert row["quic_idle_timeout_ms"] == 30000
    assert row["quic_initial_data"] == 2**62 - 1
    assert row["quic_largest_datagram"] is None
    assert row["quic_parameters"] == "04 05 07 08 01 09 0f 06"


@pytest.mark.parametrize("version", [1, quic.VERSION_2, 0xFF00001D, 0xFF000019])
def test_versions(version: int) -> None:
    row = quic_row([initial(CLIENT_FRAMES, version)], [], 0)
    assert row["tls_sni"] == "example.com"
    assert row["quic_version"] == f"{version:08x}"


def crypto(offset: int, data: bytes) -> bytes:
    return (
        b"\x06"
        + (0x4000 | offset).to_bytes(2, "big")
        + (0x4000 | len(data)).to_bytes(2, "big")
        + data
    )


def test_a_hello_in_pieces_out_of_order_with_acknowledgements_between() -> None:
    hello = CLIENT_FRAMES[4:]
    acknowledged = b"\x02\x00\x00\x01\x00\x00\x00" + b"\x01"
    pieces = [
        initial(crypto(100, hello[100:]) + bytes(9), number=1),
        initial(acknowledged + crypto(60, hello[60:120]) + crypto(0, hello[:60])),
    ]
    assert quic_row(pieces, [], 0)["tls_sni"] == "example.com"
    assert quic_row([pieces[0] + pieces[1]], [], 0)["quic_initial_packets"] == 2
    assert "tls_sni" not in quic_row(pieces[:1], [], 0)


def test_after_a_retry_the_keys_follow_the_new_id() -> None:
    other = bytes.fromhex("0011223344556677")
    again = [initial(b"\x01" * 40), initial(CLIENT_FRAMES, client_id=other, number=1)]
    row = quic_row(again, [], 0)
    assert row["tls_sni"] == "example.com"


def test_a_changed_packet_does_not_open(client_packet: bytes) -> None:
    changed = bytearray(client_packet)
    changed[600] ^= 1
    (packet,) = quic.initial_packets(bytes(changed))
    with pytest.raises(InvalidTag):
        quic.open_packet(packet, quic.initial_keys(1, CLIENT_ID)[0])
    row = quic_row([bytes(changed)], [], 0)
    assert row["quic_initial_packets"] == 1
    assert "tls_sni" not in row


def test_other_long_packets_are_passed_over() -> None:
    early = b"\xd0" + (1).to_bytes(4, "big") + b"\x08" + CLIENT_ID + b"\x00" + b"\x05" + bytes(5)
    assert quic.initial_packets(early) == []
    assert len(quic.initial_packets(early + initial(CLIENT_FRAMES))) == 1
    retry = b"\xf0" + (1).to_bytes(4, "big") + b"\x08" + CLIENT_ID + b"\x00" + bytes(30)
    assert quic.initial_packets(retry) == []


def test_every_prefix_of_a_datagram(client_packet: bytes) -> None:
    for end in range(len(client_packet)):
        assert quic.initial_packets(client_packet[:end]) == []
    assert quic_row([client_packet[:700]], [], 0) is None


@given(st.binary(max_size=80))
def test_any_frames_and_parameters_are_read(content: bytes) -> None:
    quic_row([initial(content.ljust(4, b"\0"))], [], 0)
    found = quic.transport_parameters(content)
    for value in found.values():
        quic.parameter_number(value)


@given(st.binary(max_size=60))
def test_any_datagram_is_read(content: bytes) -> None:
    quic.initial_packets(b"\xc0\x00\x00\x00\x01" + content)
    quic.initial_packets(content)


def test_reserved_parameters_are_left_out() -> None:
    assert quic.transport_parameters(b"\x1b\x01x\x01\x01\x05") == {1: b"\x05"}
    assert quic.parameter_number(None) is None
    assert quic.parameter_number(b"\x40") is None
