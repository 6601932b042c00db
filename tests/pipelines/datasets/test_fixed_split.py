import numpy as np
import pyarrow as pa
import pytest

from pipelines.datasets.fields import group_of
from pipelines.datasets.fixed_split import fixed_split
from pipelines.datasets.sources import load_source
from pipelines.errors import InputError


def test_all_of_the_source_trains_and_all_of_the_other_tests(make_rows) -> None:
    train = make_rows(list("ab") * 10, range(20))
    test = make_rows(list("ab") * 3, range(100, 106))
    rows, split = fixed_split(train, test, validation=0.2, seed=1)
    assert rows.num_rows == 26
    assert split.rows_on("test").tolist() == list(range(20, 26))
    assert split.document.sizes["validation"]["a"].groups == 2
    assert split.document.by == "fixed" and split.document.test is None
    assert split.warnings == []
    split.check(rows)


def test_a_record_that_both_sources_hold_is_not_trained_on(make_rows) -> None:
    train = make_rows(["a", "b", "a", "b"], [1, 2, 3, 4])
    rows, split = fixed_split(train, make_rows(["a", "b"], [3, 9]), 0)
    assert rows["flow"].to_pylist() == [1, 2, 4, 3, 9]
    assert split.side.tolist() == [0, 0, 0, 2, 2]
    assert split.warnings[:1] == ["1 row of the source is in the test source too: not trained on."]


def test_an_equal_5_tuple_of_another_capture_is_another_flow(make_flows) -> None:
    train = make_flows(["a", "b"], flow=[1, 2], first_seen_ns=[10, 20])
    test = make_flows(["a", "b"], flow=[1, 2], first_seen_ns=[910, 20])
    rows, split = fixed_split(train, test, 0)
    assert rows.num_rows == 3, "flow 2 was seen at the same moment: it is the same flow"
    assert split.side.tolist() == [0, 2, 2]
    assert len(set(rows["flow"].to_pylist())) == 3


def test_a_capture_under_another_name_is_the_same_capture(tmp_path, write_capture) -> None:
    """Its flows have other hashes, as the name is part of them."""
    for folder in ("train/a", "train/b"):
        write_capture(tmp_path / folder / "morning.pcap", [1000, 1001])
    write_capture(tmp_path / "train/c/own.pcap", [2000, 2001])
    write_capture(tmp_path / "test/deep/a/renamed.pcap", [1000, 1001, 1002])
    train = load_source(tmp_path / "train").rows
    test = load_source(tmp_path / "test", "file", least_classes=1).rows
    rows, split = fixed_split(train, test, 0)
    assert split.warnings[0] == "4 rows of the source are in the test source too: not trained on."
    assert rows.take(split.rows_on("train"))["label"].to_pylist() == ["c", "c"]


@pytest.mark.parametrize(
    "change",
    [
        {"src_ip": [b"\1" * 16]},
        {"dst_ip": [b"\0" * 15 + b"\1"]},
        {"src_port": [1]},
        {"dst_port": [1]},
        {"protocol": [6]},
        {"ip_id": [1]},
        {"tcp_seq": [1]},
        {"first_seen_ns": [1]},
    ],
)
def test_another_first_packet_is_another_flow(make_flows, change: dict) -> None:
    train = make_flows(["a", "b"], first_seen_ns=[0, 1], src_port=[0, 9])
    test = make_flows(["a"], **{"first_seen_ns": [0]} | change)
    assert fixed_split(train, test, 0)[0].num_rows == 3


def test_a_copy_of_the_source_leaves_nothing_to_train_on(make_flows) -> None:
    rows = make_flows(["a", "b"])
    with pytest.raises(InputError, match="Nothing is left") as caught:
        fixed_split(rows, rows)
    assert "other traffic" in caught.value.mend


def test_an_empty_test_source_is_refused(make_rows) -> None:
    with pytest.raises(InputError, match="empty"):
        fixed_split(make_rows(["a", "b"], [1, 2]), make_rows([], []))


def test_classes_on_one_side_only_are_named(make_rows) -> None:
    _, split = fixed_split(make_rows(["a", "b"], [1, 2]), make_rows(["a", "new"], [3, 4]), 0)
    assert "Not in train, so never learned: new." in split.warnings
    assert "Not in test, so without a score: b." in split.warnings


def test_columns_come_in_the_order_of_the_source_and_keep_their_groups(make_flows) -> None:
    train = make_flows(["a"] * 3, flow=[1, 2, 3])
    test = make_flows(["a"] * 2, flow=[4, 5])
    test = test.select(test.column_names[::-1])
    rows, _ = fixed_split(train, test)
    assert rows.schema.equals(train.schema, check_metadata=True)
    assert group_of(rows.schema.field("src_ip")) == "addresses"


def test_other_columns_are_named(make_rows) -> None:
    train = make_rows(["a"], [1], x=[1], y=[2])
    with pytest.raises(InputError, match="missing: y; only there: z"):
        fixed_split(train, make_rows(["a"], [1], x=[1], z=[2]))


def test_a_column_of_another_kind_is_an_error(make_rows) -> None:
    train, test = make_rows(["a"], [1], x=[1]), make_rows(["a"], [2])
    with pytest.raises(InputError, match="other kinds of values"):
        fixed_split(train, test.append_column("x", pa.array(["tcp"])))


def test_a_column_without_values_takes_the_kind_of_the_source(make_rows) -> None:
    train = make_rows(["a", "b"], [1, 2]).append_column("x", pa.array(["tcp", "udp"]))
    test = make_rows(["a"], [3]).append_column("x", pa.array([None], pa.float64()))
    rows, _ = fixed_split(train, test, 0)
    assert rows["x"].to_pylist() == ["tcp", "udp", None]


def test_the_seed_draws_the_validation_flows(make_rows) -> None:
    train, test = make_rows(["a"] * 40, range(40)), make_rows(["a"], [99])
    sides = [fixed_split(train, test, 0.5, seed)[1].side for seed in (1, 1, 2)]
    assert np.array_equal(sides[0], sides[1]) and not np.array_equal(sides[0], sides[2])
    with pytest.raises(InputError, match="validation share"):
        fixed_split(train, test, 1.0)
