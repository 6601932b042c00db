"""The story of features: from the spec to a detector that computes the same columns."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from command_line import Ended, run_here
from planted import RATIO, planted_table

from pipelines.features.columns import row_features, with_features
from pipelines.models.derived import Derived
from pipelines.operate.detect import detect
from pipelines.operate.detector import Detector
from pipelines.store.rows import read_rows

Netloop = Callable[..., Ended]


@pytest.fixture
def netloop(tmp_path: Path) -> Netloop:
    def run(*words: object, code: int = 0) -> Ended:
        done = run_here(*words, folder=tmp_path)
        assert done.code == code, done.err
        return done

    return run


def write_spec(folder: Path, source: Path, label: str, features: str, **more: str) -> Path:
    parts = {"design": "{candidates: [hist_gradient_boosting]}", **more}
    lines = "\n".join(f"{name}: {value}" for name, value in parts.items())
    path = folder / "spec.yaml"
    path.write_text(
        f"goal: Tell them apart\ndata: {{source: {source}, label: {label}}}\n"
        f"features: {features}\n{lines}\n"
    )
    return path


def test_a_table_whose_label_is_a_ratio(netloop: Netloop, tmp_path: Path) -> None:
    """Kept, told on every way out, read by the model, and computed where it detects."""
    table = planted_table(tmp_path / "records.csv")
    spec = write_spec(tmp_path, table, "kind", f'["{RATIO}", "log(noise)"]')
    done = netloop("run", spec, "--approve", "auto")
    words = " ".join(done.out.split())
    assert "1 of 2 features kept." in words
    assert f"Models read {RATIO}: hist_gradient_boosting gains +" in words
    assert "Features on validation" in done.out and "log(noise)" in done.out
    found: dict[str, Any] = json.loads(netloop("runs", "show", "last", "--json").out)
    assert [row["verdict"] == "kept" for row in found["features"]] == [True, False]
    [model] = found["models"]
    assert model["macro_f1"] > 0.95, "no tree finds it by thresholds on either column"
    page = Path(found["report"]).read_text()
    assert '<section id="features">' in page and f"<td>{RATIO}</td><td>kept</td>" in page
    detector = Detector.load(Path(found["detector"]))
    assert {*detector.manifest.columns} == {"sent", "received", "noise", "service"}
    fresh = planted_table(tmp_path / "fresh.csv", rows=80, seed=5)
    lines = [json.loads(line) for line in netloop("detect", "last", fresh).out.splitlines()]
    labels = [line["ml"]["label"] for line in lines]
    kinds = [row.rsplit(",", 1)[1] for row in fresh.read_text().splitlines()[1:]]
    assert np.mean([a == b for a, b in zip(labels, kinds, strict=True)]) > 0.95
    less = tmp_path / "less.csv"
    less.write_text("received,noise,service\n1,0.5,http\n2,0.5,dns\n3,0.1,http\n")
    assert "sent" in netloop("detect", "last", less, code=2).told


def test_where_luck_decides_nothing_is_kept(netloop: Netloop, tmp_path: Path) -> None:
    table = planted_table(tmp_path / "records.csv", decides=False)
    spec = write_spec(tmp_path, table, "kind", f'["{RATIO}", "log(sent)"]')
    done = netloop("run", spec, "--approve", "auto", "--json")
    found = json.loads(done.out)
    assert "0 of 2 features kept." in found["findings"]
    card = json.loads((Path(found["detector"]) / "model" / "card.json").read_text())
    assert card["features"] == [] and not any("feature_" in name for name in card["fields"])


def test_mistakes_are_pointed_at_before_anything_is_read(netloop: Netloop, tmp_path: Path) -> None:
    spec = write_spec(tmp_path, tmp_path / "nowhere", "kind", '["ratoi(sent, received)"]')
    lines = netloop("run", spec, code=2).err.splitlines()
    assert lines[0].endswith("There is no function 'ratoi', at character 1:")
    assert lines[1].strip() == "ratoi(sent, received)"
    assert lines[2].strip() == "^^^^^" and lines[2].index("^") == lines[1].index("r")
    assert lines[3].strip() == "Did you mean ratio?"


def test_a_column_that_is_not_there_is_told_at_the_plan(netloop: Netloop, tmp_path: Path) -> None:
    table = planted_table(tmp_path / "records.csv", rows=60)
    spec = write_spec(tmp_path, table, "kind", '["ratio(sent, recieved)"]')
    told = netloop("run", spec, "--approve", "auto", code=2).told
    assert "The spec's features: There is no column 'recieved'" in told
    assert "Did you mean received?" in told


def test_an_edit_is_checked_and_an_escape_stays_off_the_terminal(
    netloop: Netloop, tmp_path: Path
) -> None:
    table = planted_table(tmp_path / "records.csv", rows=60)
    netloop("run", write_spec(tmp_path, table, "kind", f'["{RATIO}"]'), code=3)
    for _ in ("requirements", "cleaning"):
        netloop("runs", "approve", "last", code=3)
    place = "derive_features.expressions="
    for text, said in [
        ('["log(sent\\u001b[2J)"]', "does not print"),
        ('["log(service)"]', "does not take"),
        ('["window_count(sent, by=service, last=2)"]', "no time"),
    ]:
        ended = netloop("runs", "edit", "last", f"{place}{text}", code=2)
        assert said in ended.told and "\x1b" not in ended.err + ended.out
    shown = netloop("runs", "edit", "last", f'{place}["log(sent)"]', code=3)
    assert "log(sent)" in shown.out + shown.err


CAPTURE_FEATURES = [
    "ratio(src2dst_bytes, dst2src_bytes)",
    "share(packet_length)",
    "entropy(payload)",
    "log(bidirectional_duration_ms)",
    "count(packet_gap_us)",
]


def test_captures_are_detected_with_the_columns_of_training(
    netloop: Netloop, tmp_path: Path, tiny_lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All features are kept here, whatever they gain: the network reads them, and so does the
    detector's model."""
    monkeypatch.setattr("pipelines.features.choose.Choice.kept", CAPTURE_FEATURES)
    spec = write_spec(
        tmp_path,
        tiny_lab,
        "folder, split: {by: flow}",
        json.dumps(CAPTURE_FEATURES),
        design="{candidates: [knn, cnn], epochs: 1}",
    )
    found = json.loads(netloop("run", spec, "--approve", "auto", "--json").out)
    store = Path(found["detector"]).parent
    models = {}
    for path in store.glob("*/model/card.json"):
        card = json.loads(path.read_text())
        models[card["name"]] = path.parent
        assert card["features"] == CAPTURE_FEATURES
    assert {*models} == {"knn", "cnn"}
    inputs = json.loads((models["cnn"] / "inputs.json").read_text())
    assert len(inputs["said"]["encoder"]["columns"]) == len(CAPTURE_FEATURES)
    lines = netloop("detect", "last", tiny_lab / "web").out.splitlines()
    assert lines and all("label" in json.loads(line)["ml"] for line in lines)
    _same_columns(store, Detector.load(Path(found["detector"])), tiny_lab)


def _same_columns(store: Path, detector: Detector, lab: Path) -> None:
    """Derived columns of the rows that were imported are, bit for bit, those that the detector's
    model computes of the rows that it is handed."""
    seen: list[pa.Table] = []
    model = detector.classifier
    assert isinstance(model, Derived)
    inner = model.model.predict_proba
    model.model.predict_proba = lambda rows: (seen.append(rows), inner(rows))[1]  # type: ignore[method-assign]
    assert len([*detect(detector, lab)]) == 160
    [imported] = store.glob("*/import.json")
    rows = read_rows(imported.parent)
    trained = with_features(rows, row_features(CAPTURE_FEATURES, rows.schema, ()))
    columns = [_derived(rows) for rows in (trained, pa.concat_tables(seen))]
    assert columns[0].shape == (len(CAPTURE_FEATURES), 160)
    assert columns[0].tobytes() == columns[1].tobytes()


def _derived(rows: pa.Table) -> np.ndarray:
    """The derived columns, rows in the order of what tells flows apart."""
    keys = ("tcp_seq", "src_port", "last_seen_ns", "first_seen_ns")
    order = np.lexsort([rows[name].to_numpy() for name in keys])
    names = [name for name in rows.column_names if name.startswith("feature_")]
    return np.array([rows[name].to_numpy()[order] for name in names])
