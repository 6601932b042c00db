import json
from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.datasets.groups import share_of
from pipelines.datasets.splits import draw_rows, make_split
from pipelines.errors import InputError

TRAIN, VALIDATION, TEST = range(3)
YEAR_2020_NS = 1_577_836_800_000_000_000

ROWS = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.integers(0, 12), st.sampled_from("xyz"), st.integers(0, 9)
    ),
    min_size=1,
    max_size=60,
)


def table(rows: list) -> pa.Table:
    """Rows of (class, flow, capture, seconds)."""
    return pa.table(
        {
            "label": pa.array([row[0] for row in rows], pa.string()),
            "capture": pa.array([row[2] for row in rows], pa.string()),
            "flow": pa.array([row[1] for row in rows], pa.int64()),
            "first_seen_ns": pa.array([YEAR_2020_NS + row[3] for row in rows], pa.int64()),
        }
    )


@settings(max_examples=200, deadline=None)
@given(
    ROWS,
    st.sampled_from(["time", "capture", "flow", "row"]),
    st.floats(0.01, 0.99),
    st.floats(0, 0.9),
    st.integers(0, 3),
)
def test_no_group_is_ever_on_two_sides(rows, by, test, validation, seed) -> None:
    made = table(rows)
    try:
        split = make_split(made, by, test, validation, seed)
    except InputError:
        return
    column = "capture" if by == "capture" else "flow"
    sides = defaultdict(set)
    for group, side in zip(made[column].to_pylist(), split.side.tolist(), strict=True):
        sides[group].add(side)
    assert all(len(found) == 1 for found in sides.values())
    assert split.document.proof.groups_on_two_sides == 0
    assert split.document.proof.checked == len(sides)
    split.check(made)


@settings(max_examples=100, deadline=None)
@given(ROWS, st.floats(0.05, 0.95), st.integers(0, 3))
def test_every_class_with_two_groups_of_its_own_is_on_both_sides(rows, test, seed) -> None:
    pure = [(label, f"{label}{flow}", capture, time) for label, flow, capture, time in rows]
    numbers = {name: number for number, name in enumerate(sorted({row[1] for row in pure}))}
    rows = [(row[0], numbers[row[1]], row[2], row[3]) for row in pure]
    members = defaultdict(set)
    for label, flow, _, _ in rows:
        members[label].add(flow)
    if all(len(flows) < 2 for flows in members.values()):
        return
    split = make_split(table(rows), "flow", test, 0.2, seed)
    for label, flows in members.items():
        held = split.document.sizes["test"][label].groups
        assert held == share_of(len(flows), test)
        assert (held > 0) == (len(flows) > 1)
        assert split.document.sizes["train"][label].groups > 0


def test_time_holds_out_the_latest_flows_and_validates_on_the_latest_of_the_rest() -> None:
    split = make_split(table([("a", i, "x", 10 - i) for i in range(10)]), "time", 0.5, 0.2)
    assert split.side.tolist() == [TEST] * 5 + [VALIDATION] + [TRAIN] * 4


def test_each_class_is_cut_at_its_own_time() -> None:
    rows = [("early", 1, "x", 0), ("early", 2, "x", 1), ("late", 3, "x", 8), ("late", 4, "x", 9)]
    assert make_split(table(rows), "time", 0.5, 0).side.tolist() == [TRAIN, TEST, TRAIN, TEST]


def test_a_flow_cut_by_a_time_out_counts_by_its_first_packet() -> None:
    rows = [("a", 1, "x", 0), ("a", 2, "x", 3), ("a", 1, "x", 9), ("a", 3, "x", 4)]
    assert make_split(table(rows), "time", 0.5, 0).side.tolist() == [TRAIN, TRAIN, TRAIN, TEST]


def test_captures_whose_clocks_do_not_compare_are_cut_one_by_one() -> None:
    """Capture y begins at zero: by plain time all of x would be test."""
    rows = [("a", 1, "x", 5), ("a", 2, "x", 6), ("a", 3, "y", 0), ("a", 4, "y", 1)]
    made = table(rows)
    near_zero = pa.array([YEAR_2020_NS, YEAR_2020_NS + 1, 5, 6])
    made = made.set_column(3, "first_seen_ns", near_zero)
    split = make_split(made, "time", 0.5, 0)
    assert split.side.tolist() == [TRAIN, TEST, TRAIN, TEST]
    assert "1970" in split.warnings[0]
    assert make_split(table(rows), "time", 0.5, 0).side.tolist() == [TEST, TEST, TRAIN, TRAIN]


def test_a_split_does_not_depend_on_the_order_of_rows() -> None:
    rows = [("ab"[i % 2], i // 3, "x", i % 4) for i in range(60)]
    shuffled = np.random.default_rng(1).permutation(60)
    for by in ("time", "flow"):
        one = make_split(table(rows), by, 0.4, 0.2, 5).side
        other = make_split(table([rows[i] for i in shuffled]), by, 0.4, 0.2, 5).side
        assert one[shuffled].tolist() == other.tolist()


def test_the_seed_decides_a_shuffle_and_nothing_else_does() -> None:
    made = table([("a", i, "x", 0) for i in range(40)])
    first = make_split(made, "flow", 0.5, 0.2, 1)
    assert first.side.tolist() == make_split(made, "flow", 0.5, 0.2, 1).side.tolist()
    assert first.side.tolist() != make_split(made, "flow", 0.5, 0.2, 2).side.tolist()
    assert first.side.tolist() == make_split(made, "row", 0.5, 0.2, 1).side.tolist()


def test_a_split_of_records_is_called_so() -> None:
    made = table([("a", i, "x", 0) for i in range(4)] + [("b", i, "x", 0) for i in (7, 8)])
    document = make_split(made, "row", 0.5).document
    assert (document.by, document.group) == ("row", "flow")
    assert document.warnings == [
        "Too few row groups for validation: b.",
        "Two row groups only, one to learn from and one to test: b.",
    ]
    assert all("flow group" in each for each in make_split(made, "flow", 0.5).warnings)
    with pytest.raises(InputError, match="No class has two row groups"):
        make_split(table([("a", 1, "x", 0), ("b", 2, "x", 0)]), "row", 0.5)


def test_a_group_of_two_classes_goes_where_the_rare_class_needs_it() -> None:
    """Class r has two groups, both shared with class a: one of them must be held out."""
    rows = [("a", i, "x", 0) for i in range(20)] + [("r", 3, "x", 0), ("r", 7, "x", 0)]
    for seed in range(10):
        split = make_split(table(rows), "flow", 0.3, 0, seed)
        assert split.document.sizes["test"]["r"].groups == 1
        assert split.document.sizes["train"]["r"].groups == 1
        assert split.document.sizes["test"]["a"].groups == 6


def test_classes_of_one_and_two_groups_are_named() -> None:
    rows = [("big", i, "x", i) for i in range(10)] + [("pair", 20, "x", 0), ("pair", 21, "x", 1)]
    split = make_split(table([*rows, ("lone", 30, "x", 0)]), "time", 0.5)
    sizes = split.document.sizes
    assert sizes["train"]["lone"].rows == 1
    assert (sizes["train"]["pair"].rows, sizes["test"]["pair"].rows) == (1, 1)
    assert any("without a score: lone." in text for text in split.warnings)
    assert any("one to test: pair." in text for text in split.warnings)
    assert any("for validation: lone, pair." in text for text in split.warnings)
    assert not any("big" in text for text in split.warnings)


def test_a_class_in_one_capture_cannot_be_split_by_capture() -> None:
    rows = [("a", 1, "x", 0), ("a", 2, "y", 0), ("b", 3, "x", 0), ("c", 4, "z", 0)]
    with pytest.raises(InputError, match=r"2 of 3 classes.*: b \(x\), c \(z\)\.") as caught:
        make_split(table(rows), "capture", 0.5)
    assert "flow, or time" in caught.value.mend


def test_captures_stay_whole() -> None:
    rows = [
        ("ab"[capture % 2], 10 * capture + i, f"c{capture}", 0)
        for capture in range(8)
        for i in range(3)
    ]
    split = make_split(table(rows), "capture", 0.5, 0.5, 3)
    assert split.document.group == "capture"
    assert all(len(set(split.side[3 * c : 3 * c + 3].tolist())) == 1 for c in range(8))
    assert np.bincount(split.side).tolist() == [6, 6, 12]


def test_nothing_to_hold_out_is_an_error() -> None:
    with pytest.raises(InputError, match="nothing can be held out"):
        make_split(table([("a", 1, "x", 0), ("b", 2, "x", 0)]), "flow", 0.5)


@pytest.mark.parametrize(
    ("test", "validation", "words"),
    [
        (0, 0.2, "test share is 0"),
        (1, 0.2, "test share"),
        (0.5, 1, "validation share is 1"),
        (0.5, -0.1, "validation share"),
        (float("nan"), 0.2, "test share"),
    ],
)
def test_shares_outside_their_range_are_refused(test, validation, words) -> None:
    with pytest.raises(InputError, match=words):
        make_split(table([("a", 1, "x", 0), ("a", 2, "x", 0)]), "flow", test, validation)


def test_an_unknown_way_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="'packet'") as caught:
        make_split(table([("a", 1, "x", 0)]), "packet", 0.5)
    assert "time, capture, flow, row" in caught.value.mend


def test_rows_without_time_cannot_be_split_by_time(make_rows) -> None:
    with pytest.raises(InputError, match="no time") as caught:
        make_split(make_rows(["a", "a"], [1, 2]), "time", 0.5)
    assert "columns.time" in caught.value.mend


@pytest.mark.parametrize(
    ("count", "share", "expected"),
    [
        (0, 0.5, 0),
        (1, 0.9, 0),
        (2, 0.01, 1),
        (2, 0.99, 1),
        (3, 0.5, 1),
        (5, 0.5, 2),
        (7, 0.5, 3),
        (10, 0.25, 2),
        (10, 0.26, 3),
        (10, 0, 0),
        (10, 1.0, 9),
    ],
)
def test_shares_of_groups_by_hand(count, share, expected) -> None:
    assert share_of(count, share) == expected


def test_the_manifest_lists_every_group_once_and_is_json() -> None:
    rows = [("ab"[i % 2], i // 2, "x", i) for i in range(40)]
    split = make_split(table(rows), "time", 0.5)
    manifest = json.loads(json.dumps(split.manifest()))
    groups = [group for side in manifest["groups"].values() for group in side]
    assert sorted(groups, key=int) == [str(i) for i in range(20)]
    assert manifest["proof"] == {"groups_on_two_sides": 0, "checked": 20}
    total = sum(size["rows"] for side in manifest["sizes"].values() for size in side.values())
    assert total == manifest["rows"] == 40
    for number, side in enumerate(("train", "validation", "test")):
        for flow in manifest["groups"][side]:
            assert {int(s) for s, r in zip(split.side, rows, strict=True) if str(r[1]) == flow} == {
                number
            }


def test_draws_differ_and_come_again_with_the_seed() -> None:
    made = table([("ab"[i % 2], i, "x", i) for i in range(100)])
    draws = draw_rows(made, 10, 20, seed=4)
    labels = np.array(made["label"].to_pylist())
    assert len(draws) == 20
    for rows in draws:
        assert len(set(rows.tolist())) == 20 and rows.tolist() == sorted(rows.tolist())
        assert [int((labels[rows] == name).sum()) for name in "ab"] == [10, 10]
    assert len({tuple(rows.tolist()) for rows in draws}) == 20
    again = draw_rows(made, 10, 20, seed=4)
    assert all(np.array_equal(one, other) for one, other in zip(draws, again, strict=True))
    assert not np.array_equal(draws[0], draw_rows(made, 10, 1, seed=5)[0])


def test_more_draws_begin_with_the_same_ones() -> None:
    made = table([("ab"[i % 2], i, "x", i) for i in range(50)])
    few, many = draw_rows(made, 3, 2), draw_rows(made, 3, 6)
    assert all(np.array_equal(one, other) for one, other in zip(few, many[:2], strict=True))


def test_a_class_too_small_to_draw_from_is_named() -> None:
    made = table(
        [("a", i, "x", i) for i in range(30)] + [("rare", 90 + i, "x", i) for i in range(4)]
    )
    with pytest.raises(InputError, match="too few in rare") as caught:
        draw_rows(made, 10, 2)
    assert "per_class" in caught.value.mend
    for per_class, draws in ((0, 3), (2, 0)):
        with pytest.raises(InputError):
            draw_rows(made, per_class, draws)


@pytest.mark.parametrize("classes", [63, 64, 127, 128, 1000])
@pytest.mark.parametrize("by", ["time", "capture", "flow", "row"])
def test_many_classes(make_rows, classes: int, by: str) -> None:
    labels = [f"site {number:04}" for number in range(classes) for _ in range(4)]
    groups = range(len(labels))
    rows = make_rows(
        labels,
        groups,
        capture=[f"{number}.pcap" for number in groups],
        first_seen_ns=[YEAR_2020_NS + number for number in groups],
    )
    sizes = make_split(rows, by, 0.5).document.sizes
    assert {size.rows for size in sizes["test"].values()} == {2}
    assert {size.rows for side in ("train", "validation") for size in sizes[side].values()} == {1}
    assert len(sizes["test"]) == classes
