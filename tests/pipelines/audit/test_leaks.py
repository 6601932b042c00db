"""Leaks planted one by one in rows that are clean without them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from pipelines.audit.audit import Audit, audit, leaks_under
from pipelines.audit.leaks import Leak
from pipelines.datasets.fields import COLUMN, LABEL, SPLIT, field
from pipelines.datasets.split_manifest import SIDES, Split, row_order
from pipelines.datasets.splits import make_split

YEAR_2020_NS = 1_577_836_800_000_000_000
SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS


def address(number: int) -> bytes:
    return b"\0" * 10 + b"\xff\xff" + bytes([10, 0, number // 256, number % 256])


@pytest.fixture
def clean(make_flows) -> Callable[..., pa.Table]:
    """Flows of two classes that differ in nothing, from twelve hosts that send both."""

    def make(count: int = 400, seed: int = 0, **columns: object) -> pa.Table:
        random = np.random.default_rng(seed)
        values = {
            "src_ip": [address(int(i)) for i in random.integers(0, 12, count)],
            "dst_ip": [address(1000 + int(i)) for i in random.integers(0, 5, count)],
            "src_port": random.integers(1024, 65536, count),
            "dst_port": random.choice([53, 80, 443], count),
            "src2dst_ttl": random.choice([64, 128], count),
            "ip_id": random.integers(1, 65536, count),
            "tcp_seq": random.integers(1, 2**32, count),
            "protocol": random.choice([6, 17], count),
            "bidirectional_bytes": random.integers(100, 5000, count),
            "packet_length": random.integers(60, 1500, (count, 3)).tolist(),
            "packet_gap_us": np.c_[np.zeros(count, int), random.integers(1, 90_000, (count, 2))]
            .tolist(),
            "payload": [random.bytes(8) for _ in range(count)],
            "first_seen_ns": YEAR_2020_NS + np.sort(random.integers(0, 10 * DAY_NS, count)),
        }  # fmt: skip
        labels = np.array(["benign", "malware"])[random.integers(0, 2, count)].tolist()
        payload = values.pop("payload")
        rows = make_flows(labels, **{**values, **columns})
        rows = put(rows, "payload", pa.array(payload, pa.binary(8)))
        return put(rows, "payload_length", pa.array([[4, 4]] * count, pa.list_(pa.int32(), 2)))

    return make


def put(rows: pa.Table, name: str, values: pa.Array) -> pa.Table:
    place = rows.schema.get_field_index(name)
    return rows.set_column(place, rows.schema.field(name), values)


def change(rows: pa.Table, name: str, places: list[int], values: list) -> pa.Table:
    column = rows[name].to_pylist()
    for place, value in zip(places, values, strict=True):
        column[place] = value
    return put(rows, name, pa.array(column, rows.schema.field(name).type))


def leak(found: Audit, name: str) -> Leak:
    return next(row for row in found.leaks if row.name == name)


def copies(rows: pa.Table, split: Split, count: int) -> pa.Table:
    """The rows, the first ``count`` of test replaced by train rows of other flows and addresses."""
    train, test = split.rows_on("train")[:count], split.rows_on("test")[:count]
    for name in ("packet_length", "packet_gap_us", "payload", "payload_length", "label"):
        wanted = rows[name].take(pa.array(train)).to_pylist()
        rows = change(rows, name, test.tolist(), wanted)
    return rows


@pytest.mark.parametrize("by", ["flow", "time", "day", "host"])
def test_a_clean_set_passes(clean, by: str) -> None:
    rows = clean()
    found = audit(rows, make_split(rows, by, 0.5))
    assert (found.verdict, found.reasons, found.advice) == ("trustworthy", [], [])
    assert {row.verdict for row in found.leaks} == {"none"}
    assert found.mend.masks == found.mend.filters == []


@pytest.mark.parametrize("seed", range(20))
def test_forty_clean_rows_raise_no_alarm_even_unmasked(clean, seed: int) -> None:
    """Fifty guesses on twenty rows: the best of them is far above chance, and means nothing."""
    rows = clean(40, seed)
    found = audit(rows, make_split(rows, "flow", 0.5, seed=seed), masks=[])
    assert found.verdict == "trustworthy", found.reasons
    assert {row.verdict for row in found.fields} == {"none"}


@pytest.mark.parametrize(("count", "classes"), [(40, 20), (200, 5), (200, 20), (2000, 20)])
def test_clean_rows_of_many_classes_raise_no_alarm(clean, count: int, classes: int) -> None:
    """Half as many classes as rows is no reason for a warning either: pytest would raise it."""
    kinds = np.random.default_rng(classes).integers(0, classes, count)
    rows = put(clean(count), "label", pa.array([f"family {kind}" for kind in kinds]))
    found = audit(rows, make_split(rows, "flow", 0.5), masks=[])
    assert (found.verdict, found.reasons) == ("trustworthy", [])


def test_forty_rows_without_the_guard_would_have_raised_one(clean) -> None:
    """Else the test above says nothing."""
    gains = []
    for seed in range(20):
        rows = clean(40, seed)
        found = audit(rows, make_split(rows, "flow", 0.5, seed=seed), masks=[])
        gains += [row.gain for row in found.fields]
    assert max(gains) >= 0.2


def test_forty_rows_are_enough_for_a_shortcut_that_is_one(clean) -> None:
    rows = clean(40)
    labels = rows["label"].to_pylist()
    rows = put(rows, "ip_id", pa.array([len(label) for label in labels], pa.uint16()))
    found = audit(rows, make_split(rows, "flow", 0.5), masks=[])
    assert found.verdict == "leaking" and found.mend.masks == ["ip_id"]


@pytest.mark.parametrize(
    ("name", "group"), [("ip_id", "ip_id"), ("tcp_ack", "seq_ack"), ("dst2src_ttl", "ttl")]
)
def test_a_label_in_a_header_field_is_found(clean, name: str, group: str) -> None:
    rows = clean()
    value = [7 if label == "malware" else 9 for label in rows["label"].to_pylist()]
    rows = put(rows, name, pa.array(value, rows.schema.field(name).type))
    split = make_split(rows, "flow", 0.5)
    masked = audit(rows, split)
    assert masked.verdict == "trustworthy", "models do not see it"
    assert any(row.verdict == "shortcut" and row.group == group for row in masked.fields)
    bare = audit(rows, split, masks=[])
    assert bare.verdict == "leaking" and bare.mend.masks == [group]
    assert f"mask {group}" in bare.reasons[0]


@pytest.mark.parametrize("name", ["icmp_code", "ip_version"])
def test_a_label_in_a_header_field_that_is_no_identifier_is_a_doubt(clean, name: str) -> None:
    rows = clean()
    value = [7 if label == "malware" else 9 for label in rows["label"].to_pylist()]
    rows = put(rows, name, pa.array(value, rows.schema.field(name).type))
    found = audit(rows, make_split(rows, "flow", 0.5))
    assert found.verdict == "doubtful" and name in found.reasons[0]


def test_a_label_that_two_fields_hold_together_is_found_by_the_tree(clean) -> None:
    """TTL 64 or 128, and the reply's: equal for malware, unequal for benign. No one field tells."""
    rows = clean()
    random = np.random.default_rng(1)
    first = random.choice([64, 128], rows.num_rows)
    reply = np.where(np.array(rows["label"].to_pylist()) == "malware", first, 192 - first)
    rows = put(rows, "src2dst_ttl", pa.array(first, pa.uint8()))
    rows = put(rows, "dst2src_ttl", pa.array(reply, pa.uint8()))
    found = audit(rows, make_split(rows, "flow", 0.5), masks=[])
    assert not [row for row in found.fields if row.group == "ttl" and row.verdict == "shortcut"]
    ttl = next(row for row in found.groups if row.group == "ttl")
    assert (ttl.verdict, ttl.tree_accuracy, ttl.exposed) == ("shortcut", 1.0, True)
    assert found.mend.masks == ["ttl"]
    assert found.reasons == [
        f"A small tree on ttl gives the label away (accuracy 1.000, majority class "
        f"{ttl.majority:.3f}) and models see it: mask ttl."
    ]
    assert found.reasons[0] in found.advice


def test_a_threshold_that_no_look_up_learns_is_found_by_the_tree(clean) -> None:
    """Every sequence number occurs once; those of malware are the larger half."""
    rows = clean()
    random = np.random.default_rng(2)
    large = np.array(rows["label"].to_pylist()) == "malware"
    seq = random.integers(0, 2**31, rows.num_rows) + np.where(large, 2**31, 0)
    rows = put(rows, "tcp_seq", pa.array(seq, pa.uint32()))
    found = audit(rows, make_split(rows, "flow", 0.5), masks=[])
    assert next(row for row in found.fields if row.name == "tcp_seq").verdict == "none"
    assert found.mend.masks == ["seq_ack"]


def test_a_duplicate_flow_across_the_sides_is_found(clean) -> None:
    """The same packets under another flow's name, as overlapping captures give."""
    rows = clean()
    split = make_split(rows, "flow", 0.5)
    planted = copies(rows, split, 4)
    found = audit(planted, resplit(planted, split))
    assert leak(found, "copied_rows").rows == 4
    assert found.verdict == "leaking" and found.mend.filters == ["near_duplicates"]
    assert found.reasons[0].startswith("4 test rows are copied from the training side")


def test_one_copied_flow_is_a_doubt_and_is_counted(clean) -> None:
    rows = clean()
    split = make_split(rows, "flow", 0.5)
    planted = copies(rows, split, 1)
    found = audit(planted, resplit(planted, split))
    assert leak(found, "copied_rows").rows == 1 and found.verdict == "doubtful"


def test_the_same_first_packet_in_two_captures_is_found(clean) -> None:
    rows = clean()
    split = make_split(rows, "flow", 0.5)
    train, test = split.rows_on("train")[:5].tolist(), split.rows_on("test")[:5].tolist()
    for name in (
        "first_seen_ns", "protocol", "src_port", "dst_port", "ip_id", "tcp_seq", "src_ip", "dst_ip",
    ):  # fmt: skip
        rows = change(rows, name, test, rows[name].take(pa.array(train)).to_pylist())
    found = audit(rows, resplit(rows, split))
    assert leak(found, "copied_rows").rows == 5


def test_a_row_copied_with_one_byte_changed_is_found(clean) -> None:
    """Its times, ports and gaps are its own: only the payload gives it away."""
    rows = clean()
    split = make_split(rows, "flow", 0.5)
    train, test = split.rows_on("train")[:10].tolist(), split.rows_on("test")[:10].tolist()
    payload = [bytes(rows["payload"][place].as_py()) for place in train]
    changed = [part[:3] + bytes([part[3] ^ 1]) + part[4:] for part in payload]
    rows = change(rows, "payload", test, changed)
    rows = change(rows, "label", test, rows["label"].take(pa.array(train)).to_pylist())
    found = audit(rows, resplit(rows, split))
    assert leak(found, "near_duplicates").rows == 10
    assert leak(found, "copied_rows").rows == 0
    assert {row.duplicates for row in found.duplicates} == {0}, "no payload is quite equal"
    assert found.verdict == "doubtful"
    assert found.reasons[0].startswith("10 test rows nearly repeat a training row")


def resplit(rows: pa.Table, split: Split) -> Split:
    """The same sides for rows that were changed."""
    document = split.document.model_copy(update={"row_order_sha256": row_order(rows)})
    return replace(split, document=document)


def test_a_shared_host_is_found_where_the_host_tells_the_class(clean) -> None:
    """Each host sends one class: with its address masked, its habits are what a model learns."""
    count = 400
    rows = clean(count)
    malware = np.array(rows["label"].to_pylist()) == "malware"
    host = np.arange(count) % 6 * 2 + malware
    rows = put(rows, "src_ip", pa.array([address(int(i)) for i in host], pa.binary(16)))
    found = audit(rows, make_split(rows, "flow", 0.5))
    shared = leak(found, "shared_hosts")
    assert (shared.verdict, shared.rows) == ("doubt", shared.of)
    assert found.verdict == "doubtful" and "who the host is" in found.reasons[0]
    by_host = audit(rows, make_split(rows, "host", 0.5))
    assert by_host.verdict == "trustworthy"
    assert "shared_hosts" not in {row.name for row in by_host.leaks}, "the split proves it"


def test_hosts_that_send_both_classes_are_counted_but_no_doubt(clean) -> None:
    rows = clean()
    shared = leak(audit(rows, make_split(rows, "flow", 0.5)), "shared_hosts")
    assert (shared.verdict, shared.rows) == ("none", shared.of)


def test_one_shared_host_among_many_of_their_own_is_found(clean) -> None:
    rows = clean()
    host = [address(i) for i in range(rows.num_rows)]
    labels = np.array(rows["label"].to_pylist())
    for place in np.flatnonzero(labels == "malware")[::4]:
        host[place] = address(5000)
    rows = put(rows, "src_ip", pa.array(host, pa.binary(16)))
    found = audit(rows, make_split(rows, "flow", 0.5))
    shared = leak(found, "shared_hosts")
    assert shared.verdict == "doubt" and 0 < shared.rows < 60


def test_tables_that_name_no_host_are_not_asked(make_rows) -> None:
    rows = make_rows(list("ab") * 40, range(80), x=list(range(80)))
    names = {row.name for row in audit(rows, make_split(rows, "row", 0.5)).leaks}
    assert names == {"near_duplicates"}


def test_hosts_of_a_table_s_column_are_asked(make_rows) -> None:
    labels = list("ab") * 40
    rows = make_rows(labels, range(80), x=np.random.default_rng(0).integers(0, 1000, 80).tolist())
    rows = rows.append_column(field("host", pa.string(), SPLIT), pa.array(labels))
    found = audit(rows, make_split(rows, "row", 0.5))
    assert leak(found, "shared_hosts").verdict == "doubt"


@pytest.mark.parametrize("by", ["time", "day"])
def test_a_broken_time_order_is_found(clean, by: str) -> None:
    """A manifest that says time, with ten old flows of each side exchanged."""
    rows = clean()
    split = make_split(rows, by, 0.5, 0)
    side = split.side.copy()
    first, last = np.flatnonzero(side == 0)[:10], np.flatnonzero(side == 2)[-10:]
    if by == "day":  # whole days, so that no group is on two sides
        days = np.array(rows["first_seen_ns"]) // DAY_NS
        first, last = np.flatnonzero(days == days.min()), np.flatnonzero(days == days.max())
    side[first], side[last] = SIDES.index("test"), SIDES.index("train")
    found = audit(rows, Split(side, split.document))
    assert leak(audit(rows, split), "time_order").rows == 0
    # the exchanged ones are old, and all that was tested is older than what is now learned
    assert leak(found, "time_order").rows == int((side == 2).sum())
    assert found.verdict == "leaking"
    assert f"the split is no split by {by}" in found.reasons[0]


def test_a_few_rows_out_of_order_are_a_doubt(clean) -> None:
    rows = clean(1000)
    split = make_split(rows, "time", 0.5, 0)
    side = split.side.copy()
    side[0] = SIDES.index("test")
    found = audit(rows, Split(side, split.document))
    assert (leak(found, "time_order").rows, found.verdict) == (1, "doubtful")


def test_other_splits_promise_no_order(clean) -> None:
    rows = clean()
    names = {row.name for row in audit(rows, make_split(rows, "flow", 0.5)).leaks}
    assert names == {"copied_rows", "near_duplicates", "shared_hosts"}


def test_clocks_that_do_not_compare_are_no_broken_order(clean) -> None:
    """Half of the captures count from 1970: each was cut by its own time."""
    rows = clean()
    times = np.array(rows["first_seen_ns"])
    old = np.arange(400) % 2 == 0
    rows = put(rows, "first_seen_ns", pa.array(np.where(old, times - YEAR_2020_NS, times)))
    rows = put(rows, "capture", pa.array(np.where(old, "x", "y")))
    found = audit(rows, make_split(rows, "time", 0.5))
    assert leak(found, "time_order").rows == 0


def test_flows_of_several_classes_are_passed_over(make_flows) -> None:
    """The rare class decides their side, so they may be out of the order of the others."""
    labels = ["a"] * 30 + ["r", "r"]
    rows = make_flows(labels, flow=[*range(30), 2, 5])
    found = audit(rows, make_split(rows, "time", 0.5, 0))
    assert leak(found, "time_order").rows == 0


def test_single_packets_and_even_ticks_are_no_copies(make_flows) -> None:
    """A simulator sends a packet a second: sizes and gaps are alike in all its flows."""
    for gaps in ([0, 0, 0], [0, 1000, 1000]):
        rows = make_flows(list("ab") * 50, packet_gap_us=[gaps] * 100, src_port=range(100))
        found = audit(rows, make_split(rows, "flow", 0.5))
        assert leak(found, "copied_rows").rows == 0


def test_two_identifiers_that_tell_only_together_are_blamed_once(clean) -> None:
    """MAC vendor and TTL side by side; where TTL alone tells already, the MAC is not blamed."""
    rows = clean()
    random = np.random.default_rng(3)
    vendor = random.integers(0, 2, rows.num_rows)
    malware = np.array(rows["label"].to_pylist()) == "malware"
    rows = put(rows, "src_mac", pa.array((vendor << 24).astype(np.uint64)))
    together = put(
        rows, "src2dst_ttl", pa.array(np.where(malware, vendor, 1 - vendor) + 64, pa.uint8())
    )
    found = audit(together, make_split(together, "flow", 0.5), masks=[])
    assert found.mend.masks == ["macs"], "masking either mends it"
    assert found.reasons[0].startswith("mac_vendor + ttl give")
    alone = put(rows, "src2dst_ttl", pa.array(malware + 64, pa.uint8()))
    assert audit(alone, make_split(alone, "flow", 0.5), masks=[]).mend.masks == ["ttl"]


def test_a_label_in_one_byte_of_payload_is_a_doubt(clean) -> None:
    """No look-up knows a payload that is never twice the same; one byte of it tells all."""
    rows = clean()
    labels = rows["label"].to_pylist()
    payloads = zip(rows["payload"].to_pylist(), labels, strict=True)
    told = [payload[:2] + label[:1].encode() + payload[3:] for payload, label in payloads]
    rows = put(rows, "payload", pa.array(told, pa.binary(8)))
    found = audit(rows, make_split(rows, "flow", 0.5))
    assert found.verdict == "doubtful"
    assert "payload[0][2] by thresholds (accuracy 1.000" in found.reasons[0]
    assert next(g for g in found.groups if g.group == "payload").field_accuracy == 1
    hidden = audit(rows, make_split(rows, "flow", 0.5), masks=["payload"])
    assert hidden.verdict == "trustworthy", "models do not see it"


def test_a_label_in_the_gaps_is_a_doubt(clean) -> None:
    rows = clean()
    late = [300 * (label == "malware") for label in rows["label"].to_pylist()]
    gaps = [[0, 1000 + more + n % 200, 7 * n % 90] for n, more in enumerate(late)]
    rows = put(rows, "packet_gap_us", pa.array(gaps, rows.schema.field("packet_gap_us").type))
    found = audit(rows, make_split(rows, "flow", 0.5))
    assert found.verdict == "doubtful" and "packet_gap_us[1] by thresholds" in found.reasons[0]


@pytest.mark.parametrize("absent", [None, float("nan")])
@pytest.mark.parametrize("told", ["noise", "missing"])
def test_a_column_that_tells_the_label_by_a_threshold_is_a_doubt(told: str, absent) -> None:
    random = np.random.default_rng(3)
    labels = np.array(["a", "b"])[random.integers(0, 2, 300)]
    values = [float(value) for value in random.normal(0, 0.1, 300)]
    if told == "noise":
        values = [value + (label == "b") for value, label in zip(values, labels, strict=True)]
    else:
        values = [absent if label == "a" else v for v, label in zip(values, labels, strict=True)]
    own = [field("label", pa.string(), LABEL), field("capture", pa.string(), SPLIT)]
    own += [field("flow", pa.int64(), SPLIT), field("x", pa.float64(), COLUMN)]
    arrays = [pa.array(labels), pa.array(["t"] * 300), pa.array(range(300)), pa.array(values)]
    rows = pa.Table.from_arrays(arrays, schema=pa.schema(own))
    found = audit(rows, make_split(rows, "row", 0.5))
    assert found.verdict == "doubtful"
    name = {"noise": "x by thresholds", "missing": "x is missing by thresholds"}[told]
    assert name in found.reasons[0]


def test_fields_that_only_together_tell_are_strong_but_no_doubt(clean) -> None:
    """Behaviour of several fields is what models are there to learn."""
    rows = clean(2000)
    labels = rows["label"].to_pylist()
    random = np.random.default_rng(5)
    first = random.integers(0, 1000, len(labels))
    second = [(f >= 500) ^ (label == "malware") for f, label in zip(first, labels, strict=True)]
    noise = random.integers(0, 500, len(labels))
    gaps = np.c_[np.zeros(len(labels), int), first, 500 * np.array(second) + noise].tolist()
    rows = put(rows, "packet_gap_us", pa.array(gaps, rows.schema.field("packet_gap_us").type))
    found = audit(rows, make_split(rows, "flow", 0.5))
    assert next(g for g in found.groups if g.group == "gaps").verdict == "strong"
    assert found.verdict == "trustworthy"


def test_an_identifier_is_not_blamed_for_the_behaviour_beside_it(clean) -> None:
    """TTL and first length together tell; the length alone does: there is no mask to add."""
    rows = clean()
    lengths = [[100 + (label == "malware"), 60, 60] for label in rows["label"].to_pylist()]
    rows = put(rows, "packet_length", pa.array(lengths, rows.schema.field("packet_length").type))
    found = audit(rows, make_split(rows, "flow", 0.5), masks=[])
    assert found.verdict == "doubtful" and found.mend.masks == []
    assert "first_packet_length" in found.reasons[0]


def test_other_masks_tell_what_the_ones_in_force_hid(clean) -> None:
    rows = clean()
    value = [7 if label == "malware" else 9 for label in rows["label"].to_pylist()]
    rows = put(rows, "ip_id", pa.array(value, pa.uint16()))
    found = audit(rows, make_split(rows, "flow", 0.5))
    assert leaks_under(found, found.masks) == [] == leaks_under(found, ["ip_id"])
    (words,) = leaks_under(found, ["ports"])
    assert words.startswith("ip_id alone gives the label away")
    bare = audit(rows, make_split(rows, "flow", 0.5), masks=[])
    assert leaks_under(bare, []) == [], "the audit said it itself"
