"""Budgets: never exceeded, spent on what says most, and what is left is still a text."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.represent.traffic_text import Budget, PacketText, RowText, parse_text, within

FLOW = RowText(
    (4, 6),
    None,
    {"n": "9>9", "b": "900>90000"},
    tuple(PacketText(bool(n % 2), 1500, 0x10, 7, bytes([n]) * 40) for n in range(9)),
)


def letters(texts):
    return [len(text) for text in texts]


def cut(tokens: int, row: RowText = FLOW) -> str:
    return within([row], Budget(tokens, letters))[0]


def test_what_fits_is_left_as_it_is():
    text = str(FLOW)
    assert cut(len(text)) == text


@given(st.integers(0, 700))
@settings(deadline=None)
def test_a_budget_is_never_exceeded_and_what_is_left_is_a_text(tokens):
    text = cut(tokens)
    assert len(text) <= tokens
    assert str(parse_text(text)) == text


def test_the_protocol_is_the_last_to_go():
    assert cut(4) == "tcp4"
    assert cut(3) == ""


def test_the_first_packets_are_worth_more_than_the_values_and_those_more_than_later_packets():
    assert cut(40) == "tcp4▸1500A˖7u…◂1500A˖7u…▸1500A˖7u…"
    beginnings = parse_text(cut(111))
    assert [packet.payload for packet in beginnings.packets] == [bytes([n]) * 16 for n in range(4)]
    assert not beginnings.values
    more = parse_text(cut(130))
    assert more.values == FLOW.values
    assert len(more.packets) == 4


def test_payload_that_lost_a_part_says_so():
    row = RowText((4, 17), None, {}, (PacketText(False, 100, 0, 0, bytes(40)),))
    packet = parse_text(cut(30, row)).packets[0]
    assert packet.cut
    assert packet.payload == bytes(16)


def test_whole_payload_does_not_say_so():
    row = RowText((4, 17), None, {}, (PacketText(False, 100, 0, 0, bytes(40)),))
    assert not parse_text(cut(100, row)).packets[0].cut


@given(
    st.lists(st.binary(max_size=64), min_size=1, max_size=6),
    st.integers(10, 300),
)
@settings(deadline=None)
def test_what_is_left_of_payload_is_how_it_began(payloads, tokens):
    row = RowText((4, 6), None, {}, tuple(PacketText(False, 60, 0, 0, part) for part in payloads))
    kept = parse_text(cut(tokens, row)).packets
    for left, whole in zip(kept, payloads, strict=False):
        assert whole.startswith(left.payload)
        assert left.cut == (left.payload != whole)


def test_the_count_of_the_whole_decides_where_it_is_more_than_that_of_its_parts():
    def count(texts):
        return [len(text) + 5 * max(text.count("1500") - 1, 0) for text in texts]

    text = within([FLOW], Budget(56, count))[0]
    assert count([text])[0] <= 56
    assert len(parse_text(text).packets) == 3


def test_each_row_has_the_whole_budget():
    assert within([FLOW, RowText((4, 6))], Budget(4, letters)) == ["tcp4", "tcp4"]


def test_a_value_that_lost_a_part_says_so_and_keeps_its_beginning():
    row = RowText(values={"method": "POST", "body": "a b" * 1000})
    text = cut(240, row)
    assert text.startswith("method=POST body=a%20ba%20b")
    assert text.endswith("…")
    left = parse_text(text)
    assert left.values["body"] == ("a b" * 1000)[: len(left.values["body"]) - 1] + "…"
    assert str(left) == text


@given(st.dictionaries(st.text(min_size=1, max_size=5), st.text(max_size=300)), st.integers(0, 400))
@settings(deadline=None)
def test_values_of_any_length_fit_and_are_read_back(values, tokens):
    text = cut(tokens, RowText(values=values))
    assert len(text) <= tokens
    assert str(parse_text(text)) == text
    for name, value in parse_text(text).values.items():
        assert values[name].startswith(value.removesuffix("…"))
