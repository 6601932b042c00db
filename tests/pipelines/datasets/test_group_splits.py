"""Splits by host, day and site: each keeps its own groups whole, and every flow with them."""

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.datasets.fields import SPLIT, field
from pipelines.datasets.group_names import (
    DAY_NS,
    LADDER,
    address_text,
    group_names,
    group_of_split,
)
from pipelines.datasets.groups import calendar_strata, group_rows, linked_groups
from pipelines.datasets.split_manifest import Split
from pipelines.datasets.splits import make_split
from pipelines.errors import InputError, NetloopError

NEW_YEAR_NS = 1_577_836_800_000_000_000  # 2020-01-01
TRAIN, VALIDATION, TEST = range(3)


def ip(last: int) -> bytes:
    return b"\0" * 10 + b"\xff\xff" + bytes([10, 0, 0, last])


def hosted(make_rows, rows: list[tuple[str, int, str]]) -> pa.Table:
    """Rows of (class, flow, host), the host as a table's column gives it."""
    labels, flow, hosts = zip(*rows, strict=True)
    made = make_rows(labels, flow)
    return made.append_column(field("host", pa.string(), SPLIT), pa.array(hosts, pa.string()))


def sides_of(groups: list, split: Split) -> dict:
    sides = defaultdict(set)
    for group, side in zip(groups, split.side.tolist(), strict=True):
        sides[group].add(side)
    return sides


ROWS = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 14), st.integers(1, 6), st.integers(0, 5)),
    min_size=2,
    max_size=50,
)


@settings(max_examples=150, deadline=None)
@given(ROWS, st.sampled_from(["host", "day", "site"]), st.floats(0.1, 0.9), st.integers(0, 2))
def test_neither_a_group_nor_a_flow_is_on_two_sides(made, by, test, seed) -> None:
    rows = pa.table(
        {
            "label": pa.array([row[0] for row in made]),
            "capture": pa.array([f"site{row[2] % 3}/{row[2]}.pcap" for row in made]),
            "flow": pa.array([row[1] for row in made], pa.int64()),
            "host": pa.array([str(row[2]) for row in made]),
            "first_seen_ns": pa.array([NEW_YEAR_NS + row[3] * DAY_NS for row in made], pa.int64()),
        }
    )
    try:
        split = make_split(rows, by, test, 0.2, seed)
    except InputError:
        return
    names, codes = group_names(rows, group_of_split(by))
    for groups in (codes.tolist(), rows["flow"].to_pylist()):
        assert all(len(found) == 1 for found in sides_of(groups, split).values())
    listed = [name for side in split.document.groups.values() for name in side]
    assert sorted(listed) == names, "every group is listed once"
    assert split.document.proof.checked == len(names)
    assert split.document.group == by


def test_the_host_of_a_capture_s_row_is_its_initiator(make_flows) -> None:
    rows = make_flows(
        list("aabb"), src_ip=[ip(1), ip(2), ip(1), b"\x20\x01" + b"\0" * 13 + b"\x01"]
    )
    assert group_names(rows, "host")[0] == ["10.0.0.1", "10.0.0.2", "2001::1"]
    assert group_names(rows, "host")[1].tolist() == [0, 1, 0, 2]


def test_the_host_of_a_packet_is_the_initiator_of_its_flow(make_flows) -> None:
    """Rows out of order: flow 7 was begun by host 2, whose packet is the earliest."""
    rows = make_flows(
        list("aaaa"),
        flow=[7, 7, 9, 7],
        src_ip=[ip(1), ip(2), ip(3), ip(1)],
        first_seen_ns=[NEW_YEAR_NS + 5, NEW_YEAR_NS, NEW_YEAR_NS, NEW_YEAR_NS + 9],
    )
    assert group_names(rows, "host")[1].tolist() == [0, 1, 2, 0], "rows of flows as they are"
    packets = rows.drop_columns(["bidirectional_packets"])
    names, of_row = group_names(packets, "host")
    assert (names, of_row.tolist()) == (["10.0.0.2", "10.0.0.3"], [0, 0, 1, 0])


def test_a_column_of_hosts_goes_before_addresses(make_flows) -> None:
    rows = make_flows(list("ab"), src_ip=[ip(1), ip(1)])
    named = rows.append_column(field("host", pa.string(), SPLIT), pa.array(["x", "y"]))
    assert group_names(named, "host")[0] == ["x", "y"]


def test_addresses_are_written_as_people_write_them() -> None:
    assert address_text(ip(7)) == "10.0.0.7"
    assert address_text(bytes(15) + b"\x01") == "::1"


def test_hosts_are_held_out_whole_of_each_class(make_rows) -> None:
    rows = hosted(make_rows, [("ab"[i % 2], i, f"h{i % 8}") for i in range(40)])
    split = make_split(rows, "host", 0.5, 0)
    assert np.bincount(split.side, minlength=3).tolist() == [20, 0, 20]
    for label in "ab":
        assert split.document.sizes["test"][label].groups == 2
    assert set(split.document.groups["test"]) | set(split.document.groups["train"]) == {
        f"h{i}" for i in range(8)
    }


def test_hosts_that_take_turns_in_one_flow_stay_together(make_rows) -> None:
    """Flow 1 is begun by x, and after a time-out by y: both hosts are one group for the draw."""
    rows = [("a", 1, "x"), ("a", 1, "y"), ("a", 2, "x"), ("a", 3, "y"), ("a", 4, "z")]
    made = hosted(make_rows, rows)
    joined = linked_groups(made, group_rows(made, "host"))
    assert joined.names == ["x", "z"]
    assert joined.of_row.tolist() == [0, 0, 0, 0, 1]
    split = make_split(made, "host", 0.5, 0)
    assert len(set(split.side[:4].tolist())) == 1 and split.side[4] != split.side[0]
    assert split.document.proof.checked == 3


def test_a_class_on_one_host_is_named_with_it_and_the_mend(make_rows) -> None:
    rows = [("a", 1, "x"), ("a", 2, "y"), ("b", 3, "z"), ("b", 4, "z")]
    with pytest.raises(
        InputError,
        match=r"1 of 2 classes cannot be split by host, each seen on one host only: b \(z\)",
    ) as caught:
        make_split(hosted(make_rows, rows), "host", 0.5)
    assert "Add hosts of these classes" in caught.value.mend


def test_hosts_that_are_all_linked_cannot_be_parted(make_rows) -> None:
    rows = hosted(make_rows, [("a", 1, "x"), ("a", 1, "y")])
    with pytest.raises(InputError, match="2 hosts that share flows"):
        make_split(rows, "host", 0.5)


def test_rows_without_a_host_a_site_or_a_time_say_so(make_rows) -> None:
    rows = make_rows(list("ab") * 4, range(8))
    for by, words, mend in (
        ("host", "which host", "columns.host"),
        ("site", "at which site", "a folder of its own"),
        ("day", "carry no time", "columns.time"),
    ):
        with pytest.raises(InputError, match=words) as caught:
            make_split(rows, by, 0.5)
        assert mend in caught.value.mend


def test_hosts_that_are_missing_are_counted(make_rows) -> None:
    rows = make_rows(list("ab"), [1, 2]).append_column("host", pa.array(["x", None]))
    with pytest.raises(InputError, match="1 rows do not say what their host is"):
        make_split(rows, "host", 0.5)


def dated(make_rows, rows: list[tuple[str, int, float]]) -> pa.Table:
    """Rows of (class, flow, days since new year)."""
    labels, flow, days = zip(*rows, strict=True)
    return make_rows(labels, flow, first_seen_ns=[int(NEW_YEAR_NS + d * DAY_NS) for d in days])


def test_the_latest_days_are_held_out_for_all_classes(make_rows) -> None:
    rows = [("ab"[i % 2], i, i // 4 + 0.1) for i in range(40)]
    split = make_split(dated(make_rows, rows), "day", 0.3, 0.25)
    assert split.document.groups["test"] == ["2020-01-08", "2020-01-09", "2020-01-10"]
    assert split.document.groups["validation"] == ["2020-01-06", "2020-01-07"]
    assert split.document.warnings == []


def test_a_date_that_leaves_a_class_out_is_moved(make_rows) -> None:
    """Class b is seen on the first two days only: the cut lies between them."""
    rows = [("a", i, i) for i in range(10)] + [("b", 20, 0), ("b", 21, 1)]
    split = make_split(dated(make_rows, rows), "day", 0.3, 0)
    assert split.document.groups["train"] == ["2020-01-01"]
    assert split.document.warnings[0].startswith("Two day groups only")


def test_classes_of_different_years_are_cut_at_dates_of_their_own(make_rows) -> None:
    rows = [("a", 1, 0), ("a", 2, 1), ("b", 3, 400), ("b", 4, 401)]
    split = make_split(dated(make_rows, rows), "day", 0.5, 0)
    assert split.side.tolist() == [TRAIN, TEST, TRAIN, TEST]
    assert "No single date" in split.document.warnings[0]


def test_the_nearest_date_that_serves_all_by_hand(make_rows) -> None:
    rows = [("a", i, i) for i in range(8)] + [("b", 20, 2), ("b", 21, 4)]
    grouping = group_rows(dated(make_rows, rows), "day")
    strata, share, warnings = calendar_strata(grouping, 0.25)
    # test may begin on day 3 or 4 (b needs one day on either side): four days are nearer to two
    assert (len(strata), share, warnings) == (1, 4 / 8, [])


def test_a_flow_that_crosses_midnight_belongs_to_the_day_on_which_it_began(make_rows) -> None:
    rows = dated(make_rows, [("a", 1, 0.9), ("a", 1, 1.1), ("a", 2, 1.5), ("a", 3, 0.2)])
    names, of_row = group_names(rows, "day")
    assert (names, of_row.tolist()) == (["2020-01-01", "2020-01-02"], [0, 0, 1, 0])


def test_a_class_seen_on_one_day_is_named(make_rows) -> None:
    rows = dated(make_rows, [("a", 1, 0), ("a", 2, 1), ("b", 3, 1), ("b", 4, 1)])
    with pytest.raises(InputError, match=r"one day only: b \(2020-01-02\)"):
        make_split(rows, "day", 0.5)


def test_days_are_those_of_utc_and_may_lie_before_1970(make_rows) -> None:
    rows = make_rows(["a"] * 3, range(3), first_seen_ns=[-1, 0, DAY_NS - 1])
    assert group_names(rows, "day")[0] == ["1969-12-31", "1970-01-01"]


def test_a_site_is_the_first_folder_or_a_column(make_rows) -> None:
    rows = make_rows(
        list("aabb"), range(4), capture=["oslo/x/1.pcap", "rome/2.pcap", "rome/3.pcap", "oslo/4.p"]
    )
    assert group_names(rows, "site")[0] == ["oslo", "rome"]
    split = make_split(rows, "site", 0.5, 0)
    assert split.side[0] == split.side[3] != split.side[1] == split.side[2]
    named = rows.append_column("site", pa.array(["n", "s", "s", "s"]))
    assert group_names(named, "site")[1].tolist() == [0, 1, 1, 1]


def test_classes_by_folder_have_one_site_each(make_rows) -> None:
    rows = make_rows(list("aabb"), range(4), capture=["a/1", "a/2", "b/1", "b/2"])
    with pytest.raises(InputError, match=r"2 of 2 classes.*one site only: a \(a\), b \(b\)"):
        make_split(rows, "site", 0.5)


@pytest.mark.parametrize("moved", ["host", "flow"])
def test_the_check_proves_both_levels_again(make_rows, moved: str) -> None:
    rows = hosted(make_rows, [("ab"[i % 2], i // 2, f"h{i // 4}") for i in range(40)])
    split = make_split(rows, "host", 0.5, 0)
    side = split.side.copy()
    if moved == "host":
        side[:2] = TEST if side[0] == TRAIN else TRAIN  # one flow of h0 whole
    else:
        side[0] = TEST if side[0] == TRAIN else TRAIN
        rows = rows.set_column(
            rows.schema.get_field_index("host"), "host", pa.array([str(i) for i in range(40)])
        )
    with pytest.raises(NetloopError, match=f"1 {moved} groups are on two sides"):
        Split(side, split.document).check(rows)


def test_every_way_keeps_a_rung_of_the_ladder_whole() -> None:
    assert [group_of_split(by) for by in ("time", "row", "fixed", "flow")] == ["flow"] * 4
    assert [group_of_split(by) for by in LADDER] == list(LADDER)


def test_a_split_by_host_saves_and_loads(make_rows, tmp_path) -> None:
    rows = hosted(make_rows, [("ab"[i % 2], i, f"h{i % 8}") for i in range(40)])
    split = make_split(rows, "host", 0.5)
    split.save(tmp_path)
    Split.load(tmp_path).check(rows)
