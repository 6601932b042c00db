"""Texts of rows: what they look like, and that they are read back exactly."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.represent.traffic_text import PacketText, RowText, parse_text
from pipelines.represent.traffic_text.symbols import rounded_time

HELLO = PacketText(False, 583, 0x18, 1_000, b"\x16\x03\x01")
FLOW = RowText(
    kind=(4, 6),
    values={"n": "5>4", "tls_alpn": "h2"},
    packets=(PacketText(False, 74, 0x02), PacketText(True, 74, 0x12, 21_000), HELLO),
)
PACKETS = st.builds(
    PacketText,
    backward=st.none() | st.booleans(),
    length=st.none() | st.integers(1, 65_535),
    flags=st.integers(0, 255),
    gap_us=st.integers(0, 10**10).map(rounded_time),
    payload=st.binary(max_size=70),
    cut=st.booleans(),
)
ROWS = st.builds(
    RowText,
    kind=st.none() | st.tuples(st.sampled_from([4, 6]), st.integers(0, 255)),
    values=st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=12), max_size=4),
    packets=st.lists(PACKETS, max_size=6).map(tuple),
)


def test_a_flow_reads_like_this():
    assert str(FLOW) == "tcp4 n=5>4 tls_alpn=h2▸74S◂74SA˖21m▸583PA˖1m⠖⠃⠁"


@pytest.mark.parametrize(
    ("kind", "icmp", "text"),
    [
        ((4, 6), None, "tcp4"),
        ((6, 17), None, "udp6"),
        ((4, 132), None, "sctp4"),
        ((4, 1), (8, 0), "icmp4:8/0"),
        ((6, 58), (128, 0), "icmp6:128/0"),
        ((6, 1), None, "p1v6"),
        ((4, 47), None, "p47v4"),
    ],
)
def test_protocols(kind, icmp, text):
    row = RowText(kind, icmp)
    assert str(row) == text
    assert parse_text(text) == row


def test_a_masked_packet_says_only_that_it_was_there():
    assert str(RowText(packets=(PacketText(),))) == "▪"
    assert parse_text("▪") == RowText(packets=(PacketText(),))


def test_nothing_at_all_is_an_empty_text():
    assert str(RowText()) == ""
    assert parse_text("") == RowText()


@given(ROWS)
def test_every_text_is_read_back_exactly(row):
    assert parse_text(str(row)) == row


@given(ROWS)
def test_units_are_the_text(row):
    whole = RowText(
        row.kind, row.icmp, row.values, tuple(replace(packet, cut=False) for packet in row.packets)
    )
    words: dict[int, str] = {}
    packets = ""
    for unit in whole.units():
        if unit.is_word:
            words[unit.group] = words.get(unit.group, "") + unit.text
        else:
            packets += unit.text
    assert " ".join(words.values()) + packets == str(whole)


@pytest.mark.parametrize(
    "value", ["a b", "x=y", "▸74S", "%41", "\x1b[31m", "\n", "⠁", "tcp4", "…", "=1+1"]
)
def test_values_from_data_cannot_pass_for_anything_else(value):
    row = RowText((4, 6), None, {"tls_server_name": value, value or "x": "1"}, (HELLO,))
    text = str(row)
    assert parse_text(text) == row
    assert text.count("▸") == 1
    assert text.count(" ") == 2
    assert "\x1b" not in text and "\n" not in text


@pytest.mark.parametrize(
    "text", ["tcp5x", "tcp4 ▸74S", "▸74S n=1", "▸74S tcp4", "▸74SS˖", "hello world", "▸74S+1h"]
)
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError):
        parse_text(text)


def test_the_payload_of_later_packets_is_worth_less_than_their_heads():
    row = RowText((4, 6), None, {}, (PacketText(False, 1500, 0, 0, bytes(64)),) * 9)
    packets = [[unit.rank for unit in row.units() if unit.group == 1 + n] for n in range(9)]
    assert [len(ranks) for ranks in packets] == [1 + 4] * 9
    assert all(max(ranks) > ranks[0] == min(ranks) for ranks in packets)
