import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.cleaning.near_duplicates import (
    near_duplicate_groups,
    near_duplicates,
    near_duplicates_of,
)
from pipelines.datasets.fields import COLUMN, LABEL, field

PAYLOAD = bytes(range(1, 17))


def changed(content: bytes, *places: int) -> bytes:
    """``content`` with other bytes at these places."""
    out = bytearray(content)
    for place in places:
        out[place] ^= 0xFF
    return bytes(out)


def moved(rows: pa.Table) -> list[int]:
    return np.flatnonzero(near_duplicates(rows)).tolist()


@pytest.mark.parametrize("place", range(16))
def test_one_changed_byte_is_found_wherever_it_is(make_flows, place) -> None:
    rows = make_flows(["a"] * 3, payload=[PAYLOAD, bytes(16), changed(PAYLOAD, place)])
    assert moved(rows) == [2]


def test_a_number_of_eight_bytes_at_one_offset_of_all_packets_is_one_place(make_flows) -> None:
    first, second = bytes(range(16)), bytes(range(100, 116))
    # 4 of 16 bytes in either packet: a quarter of the payload, within the window from offset 4
    other = (changed(first, 4, 5), changed(second, 4, 5))
    assert moved(make_flows(["a", "a"], payload=[(first, second), other])) == []
    small = make_flows(["a", "a"], payload=[(first, second), (changed(first, 15), second)])
    assert moved(small) == [1]


def test_a_transaction_number_of_two_packets_of_forty_bytes_is_one_place() -> None:
    """As DNS has it: the first two bytes of query and answer."""
    query, answer = bytes(range(40)), bytes(range(50, 90))
    rows = packets([(query, answer), (changed(query, 0, 1), changed(answer, 0, 1))])
    assert moved(rows) == [1]
    apart = packets([(query, answer), (changed(query, 0, 20), answer)])
    assert moved(apart) == [], "two places"


def packets(pairs: list[tuple[bytes, bytes]]) -> pa.Table:
    """Rows of two packets of 40 bytes: only what near duplicates are found by."""
    count = len(pairs)
    return pa.table(
        {
            "label": ["a"] * count,
            "packet_length": pa.array([[0]] * count, pa.list_(pa.int32(), 1)),
            "payload_length": pa.array(
                [[len(a), len(b)] for a, b in pairs], pa.list_(pa.int32(), 2)
            ),
            "payload": pa.array(
                [a.ljust(40, b"\0") + b.ljust(40, b"\0") for a, b in pairs], pa.binary(80)
            ),
        }
    )


def test_two_changed_bytes_far_apart_are_another_row(make_flows) -> None:
    assert moved(make_flows(["a", "a"], payload=[PAYLOAD, changed(PAYLOAD, 0, 15)])) == []


def test_classes_and_lengths_keep_rows_apart(make_flows) -> None:
    assert moved(make_flows(["a", "b"], payload=[PAYLOAD, PAYLOAD])) == []
    assert moved(make_flows(["a", "a"], payload=[PAYLOAD, PAYLOAD[:15]])) == []


def test_rows_without_payload_are_near_to_none(make_flows) -> None:
    assert moved(make_flows(["a"] * 3, payload=[b"", b"", b""])) == []


@pytest.mark.parametrize(("size", "near"), [(3, False), (4, True)])
def test_a_byte_of_three_is_not_little(make_flows, size, near) -> None:
    short = bytes(range(1, size + 1))
    assert moved(make_flows(["a", "a"], payload=[short, changed(short, 0)])) == [1] * near


def test_equal_payload_is_near_however_short(make_flows) -> None:
    assert moved(make_flows(["a"] * 3, payload=[b"x", b"y", b"x"])) == [2]


def columns(*records: list[float]) -> dict[str, list[float]]:
    return {f"c{place}": list(values) for place, values in enumerate(zip(*records, strict=True))}


def test_a_record_with_one_other_cell_is_near(make_table) -> None:
    record = [1, 2, 3, 4, 5, 6, 7, 8]
    rows = make_table(["a"] * 3, **columns(record, [*record[:7], 99], [*record[:6], 70, 80]))
    assert moved(rows) == [1]


def test_narrow_tables_have_exact_duplicates_only(make_table) -> None:
    record = [1, 2, 3, 4, 5, 6, 7]
    rows = make_table(["a"] * 3, **columns(record, [*record[:6], 99], record))
    assert moved(rows) == [2]


def test_numbers_that_agree_in_three_digits_are_one(make_table) -> None:
    record = [1.0, 12345.0, 0.00123456, -5e20, 0.0, 7.0, 8.0, 9.0]
    close = [1.0001, 12349.0, 0.00123499, -5.001e20, 0.0, 7.0, 8.0, 9.0]
    far = [1.01, 12449.0, *record[2:]]
    assert moved(make_table(["a"] * 3, **columns(record, close, far))) == [1]


def test_texts_missing_values_and_infinities_are_values(make_table) -> None:
    fixed = {f"c{place}": [place] * 4 for place in range(7)}
    rows = make_table(
        ["a"] * 4,
        **fixed,
        text=["tcp", "tcp", "udp", None],
        number=[1.0, float("inf"), float("nan"), None],
    )
    assert moved(rows) == [1, 3], "NaN and nothing are both a missing value"
    assert near_duplicate_groups(rows).tolist() == [0, 0, 1, 1]


def test_groups_are_chains(make_table) -> None:
    chain = [[*([0] * 7), 0, 0], [*([0] * 7), 1, 0], [*([0] * 7), 1, 1], [5] * 9]
    rows = make_table(["a"] * 4, **columns(*chain))
    assert near_duplicate_groups(rows).tolist() == [0, 0, 0, 1]
    assert moved(rows) in ([1], [1, 2], [0, 2], [2]), "no two that stay are near"


def test_only_known_rows_count_across_sides(make_flows) -> None:
    contents = [PAYLOAD, changed(PAYLOAD, 3), bytes(16), changed(bytes(16), 1), b"other stuff 1234"]
    rows = make_flows(["a"] * 5, payload=contents)
    found = near_duplicates_of(rows, np.array([0, 4]), np.array([1, 2, 3]))
    assert found.tolist() == [True, False, False]
    assert near_duplicates_of(rows, np.array([], int), np.array([1, 2])).tolist() == [False, False]
    assert near_duplicates_of(rows, np.array([1]), np.array([], int)).tolist() == []


def is_near(first: list[int], second: list[int]) -> bool:
    return sum(a != b for a, b in zip(first, second, strict=True)) <= 1


RECORDS = st.lists(st.lists(st.integers(0, 1), min_size=8, max_size=8), min_size=1, max_size=25)


def as_table(records: list[list[int]]) -> pa.Table:
    named = {name: pa.array(values, pa.float64()) for name, values in columns(*records).items()}
    return pa.table({"label": ["a"] * len(records), **named}).cast(
        pa.schema(
            [
                field("label", pa.string(), LABEL),
                *(field(name, pa.float64(), COLUMN) for name in named),
            ]
        )
    )


@settings(deadline=None, max_examples=60)
@given(RECORDS, st.randoms())
def test_the_sorts_find_what_comparing_every_pair_finds(records, random) -> None:
    rows = as_table(records)
    every = range(len(records))
    known = [place for place in every if random.random() < 0.5]
    test = [place for place in every if place not in known]
    found = near_duplicates_of(rows, np.array(known, int), np.array(test, int))
    assert found.tolist() == [any(is_near(records[t], records[k]) for k in known) for t in test]
    stays = [records[place] for place in every if not near_duplicates(rows)[place]]
    assert not any(is_near(a, b) for i, a in enumerate(stays) for b in stays[:i])
    codes = near_duplicate_groups(rows)
    for first in every:
        for second in every:
            if is_near(records[first], records[second]):
                assert codes[first] == codes[second]


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=8, unique=True), st.data()
)
def test_a_planted_copy_is_found(contents, draw) -> None:
    source = draw.draw(st.sampled_from(contents))
    place, byte = draw.draw(st.integers(0, 15)), draw.draw(st.integers(0, 255))
    copy = source[:place] + bytes([byte]) + source[place + 1 :]
    rows = packets([(content, b"") for content in [*contents, copy]])
    last = np.array([len(contents)])
    assert near_duplicates_of(rows, np.arange(len(contents)), last).tolist() == [True]
