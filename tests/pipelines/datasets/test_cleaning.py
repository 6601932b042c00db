import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.datasets.cleaning import FILTERS, Filter, apply_filters, propose_filters
from pipelines.errors import InputError


def by_name(rows: pa.Table, **options) -> dict[str, Filter]:
    return {found.name: found for found in propose_filters(rows, **options)}


def places(rows: pa.Table, name: str, **params) -> list[int]:
    return [place for place, hit in enumerate(FILTERS[name](rows, **params)) if hit]


def test_classes_of_too_few_groups_are_found_by_group_not_by_row(make_rows) -> None:
    rows = make_rows(list("aabbb"), [1, 2, 7, 7, 7])
    assert places(rows, "small_classes", group="flow", groups=2) == [2, 3, 4]
    found = by_name(rows)["small_classes"]
    assert (found.rows, found.classes_lost, found.recommended) == (3, ["b"], True)
    assert found.params == {"group": "flow", "groups": 2}


def test_classes_may_be_counted_in_captures(make_rows) -> None:
    rows = make_rows(list("aab"), [1, 2, 3], capture=["x", "y", "x"])
    assert by_name(rows, group="capture")["small_classes"].classes_lost == ["b"]


def test_duplicates_keep_the_first_of_a_class(make_rows) -> None:
    rows = make_rows(list("aaab"), [5, 5, 6, 5])
    assert places(rows, "exact_duplicates") == [1]
    assert by_name(rows)["exact_duplicates"].recommended


def test_duplicate_flows_need_equal_payload_lengths_and_flags(make_flows) -> None:
    rows = make_flows(
        ["a"] * 5,
        payload=[b"x", b"x", b"x", b"x", b"y"],
        packet_length=[[60, 0, 0], [60, 0, 0], [61, 0, 0], [60, 0, 0], [60, 0, 0]],
        packet_flags=[[2, 0, 0], [2, 0, 0], [2, 0, 0], [3, 0, 0], [2, 0, 0]],
        src_port=[1, 2, 3, 4, 5],
    )
    assert places(rows, "exact_duplicates") == [1]
    found = by_name(rows)["exact_duplicates"]
    assert not found.recommended, "how often a flow comes back is signal"
    assert "signal" in found.reason


def test_conflicts_take_every_row_of_the_features(make_rows) -> None:
    rows = make_rows(list("aabb"), [1, 2, 1, 3])
    assert places(rows, "label_conflicts") == [0, 2]
    assert not by_name(rows)["label_conflicts"].recommended


@pytest.mark.parametrize(
    ("protocol", "source", "target", "hit"),
    [
        (17, 5000, 53, False),
        (17, 68, 67, True),
        (17, 5353, 5353, True),
        (17, 1900, 40000, True),
        (6, 5353, 5353, False),
        (17, 137, 137, True),
        (17, 5355, 9, True),
        (17, 546, 547, True),
    ],
)
def test_background_is_known_by_its_udp_ports(make_flows, protocol, source, target, hit) -> None:
    rows = make_flows(["a"], protocol=[protocol], src_port=[source], dst_port=[target])
    names = ["DHCP", "NetBIOS", "DHCPv6", "SSDP", "mDNS", "LLMNR"]
    assert places(rows, "background_protocols", protocols=names) == ([0] if hit else [])
    assert places(rows, "background_protocols", protocols=[]) == []


def test_short_flows_and_other_protocols(make_flows) -> None:
    rows = make_flows(["a"] * 3, protocol=[6, 17, 1], bidirectional_packets=[1, 2, 3])
    assert places(rows, "few_packets", packets=2) == [0]
    assert places(rows, "few_packets", packets=3) == [0, 1]
    assert places(rows, "other_protocols") == [2]


def test_nothing_is_proposed_that_would_move_no_row(make_flows) -> None:
    rows = make_flows(
        list("abab"),
        protocol=[6] * 4,
        bidirectional_packets=[5] * 4,
        payload=[b"w", b"x", b"y", b"z"],
    )
    assert propose_filters(rows) == []


def test_a_filter_that_empties_a_class_says_so(make_flows) -> None:
    rows = make_flows(list("aabb"), protocol=[6, 6, 1, 1], payload=[b"w", b"x", b"y", b"z"])
    found = by_name(rows)["other_protocols"]
    assert found.classes_lost == ["b"] and "whole classes: b" in found.reason


def test_only_what_is_safe_is_recommended(make_flows) -> None:
    rows = make_flows(["a"] * 6 + ["lone"], bidirectional_packets=[1] * 7, protocol=[1] * 7)
    recommended = {name for name, found in by_name(rows).items() if found.recommended}
    assert recommended == {"small_classes"}


def test_packet_rows_are_not_asked_for_statistics(make_flows) -> None:
    rows = make_flows(["a", "a"]).drop_columns(["bidirectional_packets"])
    assert "few_packets" not in by_name(rows)


def test_quarantined_rows_say_why_and_everything_stays_somewhere(make_flows) -> None:
    rows = make_flows(
        ["a", "a", "a", "lone"],
        protocol=[6, 1, 6, 1],
        payload=[b"x", b"x", b"x", b"q"],
    )
    kept, quarantine = apply_filters(
        rows,
        [
            Filter(name="small_classes", params={"group": "flow", "groups": 2}),
            Filter(name="other_protocols"),
            Filter(name="exact_duplicates"),
        ],
    )
    assert kept["flow"].to_pylist() == [0]
    assert quarantine["flow"].to_pylist() == [1, 2, 3]
    assert quarantine["reason"].to_pylist() == [
        "other_protocols",
        "exact_duplicates",
        "small_classes",
    ]
    assert kept.schema.equals(rows.schema, check_metadata=True)


def test_a_later_filter_sees_what_earlier_ones_kept(make_rows) -> None:
    """Once its duplicate is gone, class b has one group left... of the two rows that it had."""
    rows = make_rows(list("aabb"), [1, 2, 3, 3])
    filters = [Filter(name="exact_duplicates"), Filter(name="label_conflicts")]
    kept, _ = apply_filters(rows, filters)
    assert kept["flow"].to_pylist() == [1, 2, 3]
    conflicting = make_rows(list("aab"), [1, 1, 1])
    kept, quarantine = apply_filters(conflicting, filters)
    assert kept.num_rows == 0
    assert quarantine["reason"].to_pylist() == [
        "label_conflicts",
        "exact_duplicates",
        "label_conflicts",
    ]


def test_no_filters_move_nothing(make_rows) -> None:
    rows = make_rows(["a", "b"], [1, 2])
    kept, quarantine = apply_filters(rows, [])
    assert kept.equals(rows)
    assert quarantine.num_rows == 0 and quarantine.column_names[-1] == "reason"


ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), min_size=1, max_size=30)
TABLE_FILTERS = [
    Filter(name="small_classes", params={"group": "flow", "groups": 2}),
    Filter(name="exact_duplicates"),
    Filter(name="label_conflicts"),
]


@settings(deadline=None)
@given(ROWS, st.permutations(TABLE_FILTERS))
def test_rows_are_kept_or_quarantined_never_both_never_lost(pairs, filters) -> None:
    rows = pa.table(
        {
            "label": pa.array([label for label, _ in pairs]),
            "capture": pa.array(["t"] * len(pairs)),
            "flow": pa.array([flow for _, flow in pairs]),
            "place": pa.array(range(len(pairs))),
        }
    )
    kept, quarantine = apply_filters(rows, filters)
    assert sorted(kept["place"].to_pylist() + quarantine["place"].to_pylist()) == list(
        range(len(pairs))
    )
    assert kept["place"].to_pylist() == sorted(kept["place"].to_pylist())
    for found in propose_filters(rows):
        assert found.rows == apply_filters(rows, [found])[1].num_rows


def test_a_filter_that_does_not_fit_the_rows_is_refused(make_rows) -> None:
    with pytest.raises(InputError, match="few_packets needs the column bidirectional_packets"):
        apply_filters(make_rows(["a"], [1]), [Filter(name="few_packets")])


def test_a_filter_is_checked() -> None:
    with pytest.raises(ValidationError):
        Filter(name="drop_everything")
    with pytest.raises(ValidationError):
        Filter(name="few_packets", parameters={})
