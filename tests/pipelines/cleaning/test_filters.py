import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.cleaning.filters import (
    Filter,
    apply_filters,
    choose,
    find,
    not_tried,
    propose_filters,
)
from pipelines.cleaning.kinds import Pool
from pipelines.cleaning.quarantine import DETAIL, PLACE, REASON, SCORE, restore
from pipelines.cleaning.registry import KINDS
from pipelines.datasets.fields import SPLIT, field
from pipelines.errors import InputError


def by_name(rows: pa.Table, **options) -> dict[str, Filter]:
    return {found.filter.name: found.filter for found in propose_filters(Pool(rows, **options))}


def places(rows: pa.Table, name: str, **params) -> list[int]:
    hit = find(Pool(rows), Filter(name=name, params=params)).hit
    return [place for place, moved in enumerate(hit) if moved]


def test_every_filter_is_well_formed() -> None:
    for name, kind in KINDS.items():
        assert kind.name == name
        assert kind.reason[0].isupper() and kind.reason.endswith(".")
        for parameter in kind.params.model_fields.values():
            assert parameter.get_default(call_default_factory=True) is not None


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


def test_packets_of_one_connection_are_no_duplicates(make_table) -> None:
    """A table's ``flow`` is what a split keeps together, not what a row is."""
    rows = make_table(["a"] * 3, size=[60.0, 1500.0, 60.0])
    place = rows.schema.get_field_index("flow")
    rows = rows.set_column(place, rows.schema.field(place), pa.array([7, 7, 7]))
    assert places(rows, "exact_duplicates") == [2]


def test_duplicates_do_not_look_at_identifiers(make_table) -> None:
    rows = make_table(["a"] * 2, size=[60.0, 60.0], client=["10.0.0.1", "10.0.0.2"])
    hidden = field("client", pa.string(), "addresses")
    place = rows.schema.get_field_index("client")
    assert places(rows, "exact_duplicates") == []
    assert places(rows.set_column(place, hidden, rows["client"]), "exact_duplicates") == [1]


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


def test_nothing_is_proposed_that_would_move_no_row(make_flows) -> None:
    assert propose_filters(Pool(sound_flows(make_flows))) == []


def sound_flows(make_flows, labels: str = "abab", **columns) -> pa.Table:
    """TCP flows of five packets that nothing can be said against."""
    size = len(labels)
    sound = {
        "protocol": [6] * size,
        "bidirectional_packets": [5] * size,
        "src2dst_packets": [5] * size,
        "bidirectional_bytes": [500] * size,
        "src2dst_bytes": [500] * size,
        "bidirectional_syn_packets": [1] * size,
        "bidirectional_psh_packets": [1] * size,
        "src2dst_ttl": [64] * size,
        "packet_flags": [[2, 16, 24]] * size,
        "packet_length": [[100, 100, 100]] * size,
        "src_ip": [b"\0" * 10 + b"\xff\xff\x0a\0\0\x01"] * size,
        "dst_ip": [b"\0" * 10 + b"\xff\xff\x0a\0\0\x02"] * size,
        "src_port": [40000] * size,
        "dst_port": [80] * size,
        "payload": [bytes([65 + place]) * 3 for place in range(size)],
    }
    return make_flows(list(labels), **{**sound, **columns})


def test_a_filter_that_empties_a_class_says_so(make_flows) -> None:
    rows = make_flows(list("aabb"), protocol=[6, 6, 1, 1], payload=[b"w", b"x", b"y", b"z"])
    found = by_name(rows)["other_protocols"]
    assert found.classes_lost == ["b"] and "whole classes: b" in found.reason
    assert (found.share, found.classes) == (0.5, {"b": 1.0})


def test_only_what_is_safe_is_recommended(make_flows) -> None:
    rows = make_flows(["a"] * 6 + ["lone"], bidirectional_packets=[1] * 7, protocol=[1] * 7)
    recommended = {name for name, found in by_name(rows).items() if found.recommended}
    assert recommended == {"small_classes"}


def test_packet_rows_are_not_asked_for_statistics(make_flows) -> None:
    rows = make_flows(["a", "a"])
    rows = rows.drop_columns([name for name in rows.column_names if "2dst_" in name[3:]])
    rows = rows.drop_columns([name for name in rows.column_names if "bidirectional" in name])
    assert {"few_packets", "tcp_without_payload", "tcp_without_handshake"}.isdisjoint(by_name(rows))


def test_quarantined_rows_say_why_and_everything_stays_somewhere(make_flows) -> None:
    rows = make_flows(
        ["a", "a", "a", "lone"],
        protocol=[6, 1, 6, 1],
        payload=[b"x", b"x", b"x", b"q"],
    )
    kept, quarantine = apply_filters(
        Pool(rows),
        [
            Filter(name="small_classes", params={"group": "flow", "groups": 2}),
            Filter(name="other_protocols"),
            Filter(name="exact_duplicates"),
        ],
    )
    assert kept["flow"].to_pylist() == [0]
    assert quarantine["flow"].to_pylist() == [1, 2, 3]
    assert quarantine[REASON].to_pylist() == [
        "other_protocols",
        "exact_duplicates",
        "small_classes",
    ]
    assert quarantine[PLACE].to_pylist() == [1, 2, 3]
    assert quarantine.column_names[-4:] == [PLACE, REASON, DETAIL, SCORE]
    assert kept.schema.equals(rows.schema, check_metadata=True)


def test_a_later_filter_sees_what_earlier_ones_kept(make_rows) -> None:
    """Once its duplicate is gone, class b has one group left... of the two rows that it had."""
    rows = make_rows(list("aabb"), [1, 2, 3, 3])
    filters = [Filter(name="exact_duplicates"), Filter(name="label_conflicts")]
    kept, _ = apply_filters(Pool(rows), filters)
    assert kept["flow"].to_pylist() == [1, 2, 3]
    conflicting = make_rows(list("aab"), [1, 1, 1])
    kept, quarantine = apply_filters(Pool(conflicting), filters)
    assert kept.num_rows == 0
    assert quarantine[REASON].to_pylist() == [
        "label_conflicts",
        "exact_duplicates",
        "label_conflicts",
    ]


def test_no_filters_move_nothing(make_rows) -> None:
    rows = make_rows(["a", "b"], [1, 2])
    kept, quarantine = apply_filters(Pool(rows), [])
    assert kept.equals(rows)
    assert quarantine.num_rows == 0 and restore(kept, quarantine).equals(rows)


ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), min_size=1, max_size=30)
TABLE_FILTERS = [
    Filter(name="small_classes", params={"group": "flow", "groups": 2}),
    Filter(name="exact_duplicates"),
    Filter(name="near_duplicates"),
    Filter(name="label_conflicts"),
    Filter(name="class_imbalance", params={"times": 2}),
    Filter(name="implausible_rows", params={"below": 1.0}),
]


@settings(deadline=None, max_examples=60)
@given(ROWS, st.permutations(TABLE_FILTERS))
def test_rows_are_kept_or_quarantined_never_both_never_lost(make_rows, pairs, filters) -> None:
    rows = make_rows([label for label, _ in pairs], [flow for _, flow in pairs])
    rows = rows.append_column(field("place", pa.int64(), SPLIT), pa.array(range(len(pairs))))
    kept, quarantine = apply_filters(Pool(rows), filters)
    assert sorted(kept["place"].to_pylist() + quarantine["place"].to_pylist()) == list(
        range(len(pairs))
    )
    assert kept["place"].to_pylist() == sorted(kept["place"].to_pylist())
    assert quarantine[PLACE].to_pylist() == quarantine["place"].to_pylist()
    assert restore(kept, quarantine).equals(rows), "undone, exactly"
    for found in propose_filters(Pool(rows)):
        assert found.filter.rows == apply_filters(Pool(rows), [found.filter])[1].num_rows


def test_a_filter_that_does_not_fit_the_rows_is_refused(make_rows) -> None:
    with pytest.raises(InputError, match="few_packets needs the column bidirectional_packets"):
        apply_filters(Pool(make_rows(["a"], [1])), [Filter(name="few_packets")])


def test_a_filter_is_checked() -> None:
    with pytest.raises(ValidationError):
        Filter(name="drop_everything")
    with pytest.raises(ValidationError):
        Filter(name="few_packets", parameters={})
    with pytest.raises(ValidationError):
        Filter(name="few_packets", params={"packets": 0})


def test_chosen_filters_have_the_proposed_parameters_but_for_those_given(make_flows) -> None:
    pool = Pool(make_flows(["a", "a"], bidirectional_packets=[2, 3]), group="capture")
    assert choose(pool, "few_packets", {}).params == {"packets": 2}
    assert choose(pool, "few_packets", {"packets": 3}).params == {"packets": 3}
    assert choose(pool, "small_classes", {"groups": 5}).params == {"group": "capture", "groups": 5}
    kept, _ = apply_filters(pool, [choose(pool, "few_packets", {"packets": 3})])
    assert kept["bidirectional_packets"].to_pylist() == [3]


@pytest.mark.parametrize(
    ("name", "params", "said"),
    [
        ("few_packet", {}, "No filter is called 'few_packet'"),
        ("few_packets", {"packets": "many"}, "few_packets: packets: input should be"),
        ("few_packets", {"packet": 3}, "few_packets: packet: extra inputs"),
        ("background_protocols", {"protocols": ["HTTP"]}, "no such protocol: http"),
        ("label_errors", {"models": []}, "label_errors: models"),
        ("label_errors", {"models": ["cnn"]}, "label_errors: models"),
    ],
)
def test_wrong_names_and_parameters_are_told(make_flows, name, params, said) -> None:
    with pytest.raises(InputError, match=said):
        choose(Pool(make_flows(["a", "a"])), name, params)


def test_slow_filters_wait_until_asked_for(make_table) -> None:
    rows = make_table(list("ab") * 10, number=range(20))
    assert not_tried(Pool(rows)) == ["label_errors"]
    assert "label_errors" not in by_name(rows)


def test_near_duplicates_of_many_rows_wait_too(make_rows) -> None:
    rows = make_rows(["a"] * 50_001, range(50_001))
    assert "near_duplicates" in not_tried(Pool(rows))
    assert "near_duplicates" not in not_tried(Pool(rows.slice(1)))
