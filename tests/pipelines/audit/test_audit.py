import json
from collections import Counter, defaultdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.audit.audit import Audit, audit
from pipelines.audit.chance import verdict_of
from pipelines.audit.fields import networks, raw_fields
from pipelines.audit.lookup import look_up
from pipelines.audit.trees import column_groups
from pipelines.datasets.fields import DEFAULT_MASKS, field
from pipelines.datasets.split_manifest import Split
from pipelines.datasets.splits import make_split
from pipelines.errors import NetloopError

LABELLED = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=60)


def by_dictionary(known: list, asked: list) -> list[int]:
    """The look-up as anyone would write it; the lowest of equally frequent labels wins."""

    def most(labels: list[int]) -> int:
        counts = Counter(labels)
        return min(counts, key=lambda label: (-counts[label], label))

    seen = defaultdict(list)
    for value, label in known:
        seen[value].append(label)
    fallback = most([label for _, label in known])
    return [most(seen[value]) if value in seen else fallback for value in asked]


@settings(deadline=None)
@given(LABELLED, st.lists(st.integers(0, 9), max_size=30))
def test_the_look_up_is_a_dictionary_of_most_frequent_labels(known: list, asked: list) -> None:
    values, labels = np.array(known, np.int64).T
    found = look_up(values, labels, np.array(asked, np.int64))
    assert found.tolist() == by_dictionary(known, asked)


@pytest.mark.parametrize(
    ("gain", "verdict"),
    [
        (1, "shortcut"),
        (0.5, "shortcut"),
        (0.499, "weak"),
        (0.2, "weak"),
        (0.199, "none"),
        (-1, "none"),
    ],
)
def test_verdicts(gain: float, verdict: str) -> None:
    assert verdict_of(gain) == verdict


def test_every_accuracy_equals_the_dictionary(make_flows) -> None:
    random = np.random.default_rng(0)
    rows = make_flows(
        random.choice(list("abc"), 300).tolist(),
        src2dst_ttl=random.integers(30, 34, 300),
        protocol=random.choice([6, 17], 300),
        src_port=random.integers(1, 4, 300),
        dst_port=random.integers(2, 5, 300),
        bidirectional_bytes=random.integers(0, 9, 300),
    )
    split = make_split(rows, "flow", 0.4, 0.2, 1)
    found = {row.name: row for row in audit(rows, split).fields}
    labels = rows["label"].to_pylist()
    columns = {
        name: rows[name].to_pylist() for name in ("src2dst_ttl", "protocol", "src_port", "dst_port")
    }
    values = {
        "ttl": columns["src2dst_ttl"],
        "bytes": rows["bidirectional_bytes"].to_pylist(),
        "lowest_port": list(map(min, columns["src_port"], columns["dst_port"])),
    }
    values["protocol + lowest_port"] = list(
        zip(columns["protocol"], values["lowest_port"], strict=True)
    )
    known, test = split.rows_on("train", "validation"), split.rows_on("test")
    majority = by_dictionary([(0, labels[i]) for i in known], [0])[0]
    for name, column in values.items():
        guess = by_dictionary([(column[i], labels[i]) for i in known], [column[i] for i in test])
        right = np.mean([guess[place] == labels[i] for place, i in enumerate(test)])
        assert found[name].accuracy == pytest.approx(right)
        assert found[name].majority == np.mean([labels[i] == majority for i in test])
        assert found[name].values == len(set(column))


def test_a_field_that_gives_the_label_away_is_named_with_its_mask(make_flows) -> None:
    labels = list("ab") * 50
    ttl = [64 if label == "a" else 128 for label in labels]
    rows = make_flows(labels, src2dst_ttl=ttl)
    split = make_split(rows, "flow", 0.5)
    masked = audit(rows, split)
    row = next(row for row in masked.fields if row.name == "ttl")
    assert (row.accuracy, row.macro_f1, row.verdict, row.masked, row.group) == (
        1,
        1,
        "shortcut",
        True,
        "ttl",
    )
    assert masked.verdict == "trustworthy" and masked.shortcuts == [] and masked.reasons == []
    bare = audit(rows, split, masks=[])
    assert bare.verdict == "leaking"
    assert bare.mend.masks == ["ttl"]
    assert bare.reasons == [
        "ttl alone gives the label away (accuracy 1.000, majority class 0.500) and models see it: "
        "mask ttl."
    ]
    assert {"ttl", "mac_vendor + ttl"} <= {row.name for row in bare.shortcuts}
    assert any("ttl (1.000)" in text and "mask ttl." in text for text in bare.advice)


def test_behaviour_that_gives_the_label_away_is_told_apart_from_identifiers(make_flows) -> None:
    labels = list("ab") * 50
    rows = make_flows(labels, bidirectional_bytes=[ord(label) for label in labels])
    found = audit(rows, make_split(rows, "flow", 0.5))
    assert found.verdict == "doubtful" and found.mend.masks == []
    assert found.reasons == [
        "One field of behaviour alone gives the label away: bytes (accuracy 1.000, majority class "
        "0.500)."
    ]
    assert found.advice == [
        "bytes (1.000) alone gives the label away: mask sizes, or ask of every model how far it "
        "beats this look-up."
    ]


def test_a_set_of_fields_is_masked_when_one_of_them_is(make_flows) -> None:
    rows = make_flows(list("ab") * 20)
    found = {row.name: row for row in audit(rows, make_split(rows, "flow", 0.5), ["sizes"]).fields}
    assert found["ttl + first_packet_length"].masked
    assert found["ttl + first_packet_length"].group == "ttl"
    assert not found["mac_vendor + ttl"].masked
    assert found["protocol + lowest_port"].group == "ports"


def test_unseen_values_fall_back_to_the_majority(make_flows) -> None:
    rows = make_flows(["a"] * 30 + ["b"] * 10, src_port=range(40))
    found = {row.name: row for row in audit(rows, make_split(rows, "flow", 0.5)).fields}
    assert found["src_port"].accuracy == found["src_port"].majority == 0.75
    assert found["src_port"].gain == 0 and found["src_port"].verdict == "none"


def test_every_identifier_group_is_looked_up(make_flows) -> None:
    groups = {group for raw in raw_fields(make_flows(["a"]).schema) for group in raw.groups}
    assert set(DEFAULT_MASKS) - {"names"} <= groups, "only protocols say names"
    names = [raw.name for raw in raw_fields(make_flows(["a"]).schema)]
    assert len(names) == len(set(names))


def test_packet_rows_have_the_fields_that_they_can_have(make_flows) -> None:
    rows = make_flows(list("ab") * 10).drop_columns(
        ["bidirectional_packets", "bidirectional_bytes"]
    )
    names = {row.name for row in audit(rows, make_split(rows, "flow", 0.5)).fields}
    assert {"ttl", "payload", "first_packet_length"} <= names
    assert not {"packet_count", "bytes"} & names


def test_networks_are_the_first_bytes_of_an_address() -> None:
    addresses = [
        b"\0" * 10 + b"\xff\xff" + bytes([10, 1, 2, 3]),
        b"\0" * 10 + b"\xff\xff" + bytes([10, 1, 9, 9]),
        b"\0" * 10 + b"\xff\xff" + bytes([10, 2, 2, 3]),
        bytes.fromhex("20010db80001000000000000000000aa"),
        bytes.fromhex("20010db80001ffff00000000000000bb"),
        bytes.fromhex("20010db80002000000000000000000aa"),
        b"\0" * 16,
    ]
    codes = networks(np.array([list(address) for address in addresses], np.uint8))
    assert codes.tolist() == [0, 0, 1, 2, 2, 3, 4]


def test_a_vendor_is_the_first_half_of_a_mac_and_an_hour_the_hour_of_day(make_flows) -> None:
    hour = 3_600_000_000_000
    rows = make_flows(
        list("abc"),
        src_mac=[0x021AC5000001, 0x021AC5FFFFFF, 0x021AC6000001],
        first_seen_ns=[0, 24 * hour, 25 * hour],
    )
    codes = {raw.name: raw.read(rows).tolist() for raw in raw_fields(rows.schema)}
    assert codes["mac_vendor"] == [0, 0, 1]
    assert codes["src_mac"] == [0, 1, 2]
    assert codes["hour"] == [0, 0, 1]
    assert codes["day"] == [0, 1, 1]


def record_table(labels: list[str], **columns: list) -> pa.Table:
    fields = [
        field("label", pa.string(), "label"),
        field("capture", pa.string(), "split"),
        field("flow", pa.int64(), "split"),
    ]
    arrays = [pa.array(labels), pa.array(["t.csv"] * len(labels)), pa.array(range(len(labels)))]
    for name, values in columns.items():
        group = {"difficulty": "label", "addr": "addresses"}.get(name, "column")
        arrays.append(pa.array(values))
        fields.append(field(name, arrays[-1].type, group))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def test_every_column_of_a_table_is_looked_up_but_never_the_label_s(make_rows) -> None:
    labels = list("ab") * 30
    rows = record_table(
        labels,
        size=[1.5 if label == "a" else None for label in labels],
        addr=["x"] * 60,
        difficulty=[1.0] * 60,
    )
    found = audit(rows, make_split(rows, "row", 0.5))
    by_name = {row.name: row for row in found.fields}
    assert set(by_name) == {"size", "addr"}
    assert by_name["size"].accuracy == 1 and by_name["size"].group == "column"
    assert by_name["addr"].masked
    assert found.duplicate_of == "record"
    assert "drop the column" in found.advice[0]


def test_a_table_with_times_is_asked_for_hour_and_day(make_rows) -> None:
    rows = make_rows(list("ab") * 10, range(20), first_seen_ns=range(20))
    declared = rows.select(["first_seen_ns"]).schema
    names = {raw.name for raw in raw_fields(declared)}
    assert names == {"day", "hour"}


def test_advice_names_a_few_fields_only() -> None:
    labels = list("ab") * 30
    rows = record_table(labels, **{f"c{i}": [float(ord(x)) for x in labels] for i in range(20)})
    advice = audit(rows, make_split(rows, "row", 0.5)).advice
    assert "and 12 more each alone give" in advice[0]


def test_one_class_on_test_is_no_shortcut(make_flows) -> None:
    """Where the majority class is always right, nothing can do better: no gain, no division."""
    rows = make_flows(["a"] * 20)
    found = audit(rows, make_split(rows, "flow", 0.5))
    assert {row.gain for row in found.fields} == {0.0}
    assert found.verdict == "trustworthy"


def test_an_audit_is_json_and_comes_back(make_flows) -> None:
    rows = make_flows(list("ab") * 20)
    found = audit(rows, make_split(rows, "flow", 0.5))
    assert Audit.model_validate(json.loads(found.model_dump_json())) == found


def test_a_split_without_test_rows_or_of_other_rows_is_refused(make_flows) -> None:
    rows = make_flows(list("ab") * 10)
    split = make_split(rows, "flow", 0.5)
    with pytest.raises(NetloopError, match="side of the split is empty"):
        audit(rows, Split(np.zeros(20, np.int8), split.document))
    with pytest.raises(NetloopError, match="other rows"):
        audit(rows.slice(1), split)


def test_progress_counts_the_fields(make_flows) -> None:
    calls = []
    rows = make_flows(list("ab") * 10)
    audit(rows, make_split(rows, "flow", 0.5), progress=lambda *call: calls.append(call))
    total = len(list(raw_fields(rows.schema))) + len(column_groups(rows.schema))
    assert [call[1] for call in calls] == list(range(total + 1))
    assert {call[2] for call in calls} == {total}
