"""The lab's promise, proved by the audit itself: no single field gives a class away."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import f1_score

from pipelines.audit.audit import Audit, audit
from pipelines.audit.lookup import look_up
from pipelines.datasets.fields import DEFAULT_MASKS, LABEL, SPLIT, group_of
from pipelines.datasets.sources import load_source
from pipelines.datasets.splits import make_split
from pipelines.lab.behaviours import ATTACKS, BEHAVIOURS
from pipelines.lab.lab import make_lab
from pipelines.models.base import predict
from pipelines.models.registry import new_model
from pipelines.progress import silent

pytestmark = pytest.mark.slow

SHORTCUT = 0.5
TEST_SHARE = 0.4


@pytest.fixture(scope="module")
def ten_classes(tmp_path_factory) -> pa.Table:
    """Flow rows of the lab as `netloop lab` makes it."""
    folder = make_lab(tmp_path_factory.mktemp("lab") / "lab").folder
    return load_source(folder, "folder").rows


@pytest.fixture(scope="module")
def two_classes(ten_classes) -> pa.Table:
    """The same rows, benign against attack."""
    place = ten_classes.schema.get_field_index("label")
    names = ["attack" if name in ATTACKS else "benign" for name in ten_classes["label"].to_pylist()]
    return ten_classes.set_column(place, ten_classes.schema.field(place), pa.array(names))


@pytest.fixture(scope="module", params=["ten_classes", "two_classes"])
def rows(request) -> pa.Table:
    """Either question that one may ask of the lab."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def audited(rows) -> Callable[[str], Audit]:
    """The audit of a split without any mask: nothing is excused. Each is made once."""

    @cache
    def made(by: str) -> Audit:
        return audit(rows, make_split(rows, by=by, test=TEST_SHARE), masks=[])

    return made


def test_classes_are_equally_frequent(ten_classes):
    counts = dict(
        zip(*np.unique(ten_classes["label"].to_pylist(), return_counts=True), strict=True)
    )
    assert counts == dict.fromkeys(BEHAVIOURS, 200)


@pytest.mark.parametrize("by", ["time", "capture", "flow"])
def test_the_audit_finds_no_shortcut_even_without_masks(audited, by):
    found = audited(by)
    assert found.verdict == "trustworthy"
    assert found.shortcuts == []
    assert max(field.gain for field in found.fields) < SHORTCUT


@pytest.mark.parametrize("by", ["time", "capture"])
def test_hosts_and_times_tell_nothing(audited, by):
    gains = {field.name: field.gain for field in audited(by).fields}
    for name in ("src_ip", "dst_ip", "src_mac", "ttl", "hour", "day", "prefix_16", "ip_id"):
        assert gains[name] < 0.1, name


def test_nothing_is_replayed(audited):
    """No class of the test side repeats the payloads of the training side."""
    assert not any("repeat" in advice for advice in audited("time").advice)


def numeric_columns(rows: pa.Table) -> dict[str, np.ndarray]:
    """Every number of a row that any model could see, one array a position of a list."""
    found = {}
    for column in rows.schema:
        if group_of(column) in (LABEL, SPLIT) or pa.types.is_fixed_size_binary(column.type):
            continue
        values = rows[column.name].combine_chunks()
        if pa.types.is_fixed_size_list(column.type):
            width = column.type.list_size
            matrix = values.flatten().to_numpy().reshape(len(rows), width)
            found |= {f"{column.name}[{place}]": matrix[:, place] for place in range(width)}
        else:
            found[column.name] = values.to_numpy()
    return found


def payload_columns(rows: pa.Table) -> dict[str, np.ndarray]:
    """Every captured payload byte."""
    content = np.frombuffer(b"".join(rows["payload"].to_pylist()), np.uint8).reshape(len(rows), -1)
    return {f"payload[{place}]": content[:, place] for place in range(content.shape[1])}


def codes(values: np.ndarray, known: np.ndarray, bins: int) -> np.ndarray:
    """Values as quantiles of those on the training sides, or as they are for 0."""
    if bins:
        edges = np.quantile(values[known], np.linspace(0, 1, bins + 1)[1:-1])
        values = np.searchsorted(np.unique(edges), values, side="right")
    return np.unique(values, return_inverse=True)[1]


@pytest.mark.parametrize("bins", [0, 16])
def test_no_number_tells_even_in_quantiles(rows, bins):
    """Harder than the audit: every statistic, packet and payload byte, finely and coarsely."""
    split = make_split(rows, by="time", test=TEST_SHARE)
    known, test = split.rows_on("train", "validation"), split.rows_on("test")
    classes, labels = np.unique(rows["label"].to_pylist(), return_inverse=True)
    majority = 1 / len(classes)
    for name, values in (numeric_columns(rows) | payload_columns(rows)).items():
        coded = codes(values, known, bins)
        right = look_up(coded[known], labels[known], coded[test]) == labels[test]
        assert (right.mean() - majority) / (1 - majority) < SHORTCUT, name


def test_a_forest_learns_what_no_field_tells(ten_classes):
    """All fields together say much more than one, and not everything."""
    split = make_split(ten_classes, by="time", test=TEST_SHARE)
    train, test = (
        ten_classes.take(pa.array(split.rows_on(*sides)))
        for sides in (("train", "validation"), ("test",))
    )
    model = new_model("random_forest")
    labels = train["label"].to_pylist()
    model.fit(train, labels, masks=DEFAULT_MASKS, seed=0, validation=None, progress=silent)
    score = f1_score(test["label"].to_pylist(), predict(model, test), average="macro")
    assert 0.8 < score < 0.97
