import numpy as np
import pyarrow as pa

from pipelines.audit.duplicates import (
    CaptureReplays,
    ClassDuplicates,
    duplicate_advice,
    find_duplicates,
    find_replays,
)

KNOWN, TEST = np.array([0, 1, 2]), np.array([3, 4, 5, 6])


def test_test_rows_that_repeat_a_payload_of_their_class_are_counted(make_flows) -> None:
    rows = make_flows(
        list("aab") + list("aaab"),
        payload=[b"x", b"y", b"z", b"x", b"z", b"", b"z"],
    )
    found = find_duplicates(rows, KNOWN, TEST)
    assert found == [
        ClassDuplicates(label="b", duplicates=1, of=1),
        ClassDuplicates(label="a", duplicates=1, of=2),
    ], "z is b's payload, and a row without payload is no replay"


def test_payloads_of_other_lengths_differ_though_padded_alike(make_flows) -> None:
    rows = make_flows(["a", "a"], payload=[b"x", b"x\0"])
    assert find_duplicates(rows, np.array([0]), np.array([1]))[0].duplicates == 0


def test_replays_are_counted_by_capture_on_whatever_side(make_flows) -> None:
    rows = make_flows(
        list("aaaab"),
        capture=["one", "one", "two", "two", "two"],
        payload=[b"x", b"x", b"x", b"y", b"x"],
    )
    assert find_replays(rows) == [
        CaptureReplays(capture="one", label="a", duplicates=1, of=2),
        CaptureReplays(capture="two", label="a", duplicates=1, of=2),
    ]


def test_records_repeat_by_their_hash(make_rows) -> None:
    rows = make_rows(list("abaab"), [1, 2, 1, 2, 2])
    found = find_duplicates(rows, np.array([0, 1]), np.array([2, 3, 4]))
    assert found == [
        ClassDuplicates(label="b", duplicates=1, of=1),
        ClassDuplicates(label="a", duplicates=1, of=2),
    ]


def test_rows_without_payload_make_no_list(make_flows) -> None:
    rows = make_flows(["a", "a"], payload=[b"", b""])
    assert find_duplicates(rows, np.array([0]), np.array([1])) == []
    assert find_replays(rows) == []


def test_pieces_of_a_table_make_no_difference(make_flows) -> None:
    rows = make_flows(["a"] * 4, payload=[b"x", b"y", b"y", b"x"])
    pieces = pa.concat_tables([rows.slice(0, 1), rows.slice(1)])
    args = np.array([0, 1]), np.array([2, 3])
    assert find_duplicates(rows, *args) == find_duplicates(pieces, *args)
    assert find_duplicates(pieces, *args)[0].duplicates == 2


def test_advice_names_what_is_mostly_repeated() -> None:
    duplicates = [
        ClassDuplicates(label="FTP", duplicates=345, of=345),
        ClassDuplicates(label="rare", duplicates=1, of=1),
        ClassDuplicates(label="Zeus", duplicates=2, of=5),
    ]
    replays = [CaptureReplays(capture="FTP.pcap", label="FTP", duplicates=5, of=10)]
    assert duplicate_advice(duplicates, replays) == [
        "Test rows that mostly repeat training rows, so they test memory: FTP (345 of 345).",
        "Captures that mostly repeat rows of their own class: FTP.pcap (5 of 10).",
    ]
    assert duplicate_advice([], []) == []
