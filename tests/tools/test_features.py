"""The tool that tries derived columns, and the tools that train, make rows and pack after it."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from planted import RATIO, planted_table

from agents.terminal.direct import Direct
from pipelines.datasets.split_manifest import Split
from pipelines.errors import InputError
from pipelines.models.base import predict
from pipelines.models.derived import Derived
from pipelines.models.registry import load_model
from pipelines.progress import silent
from pipelines.store.artifacts import ArtifactStore
from pipelines.store.rows import read_rows, write_rows
from tools.calls import check_params
from tools.registry import TOOLS
from tools.spec import ToolContext, ToolResult

DERIVE, LADDER, CNN, EXPLORE, MAKE = (
    TOOLS[name]
    for name in (
        "derive_features", "train_baselines", "train_cnn", "explore_arms", "augment_rows"
    )
)  # fmt: skip
pytestmark = pytest.mark.usefixtures("small_forests")
MakeContext = Callable[..., ToolContext]


def split_of(folder: Path, source: Path) -> tuple[Path, dict[str, str]]:
    direct = Direct(folder, 0, silent)
    direct.import_and_split(source, "kind", "flow", None, 0.3)
    return folder, direct.artifacts


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A workspace with 600 records on their sides, whose class is the ratio."""
    folder = tmp_path_factory.mktemp("workspace")
    return split_of(folder, planted_table(folder / "records.csv"))


def run(tool: Any, context: ToolContext, **params: Any) -> ToolResult:
    return tool.run(check_params(tool, params), context)


def tried(context: ToolContext, *texts: str, **params: Any) -> ToolResult:
    return run(DERIVE, context, **{"expressions": list(texts), "model": "random_forest", **params})


def kept_in(context: ToolContext, result: ToolResult) -> dict[str, Any]:
    folder = context.store.path(result.artifacts["features"])
    values: dict[str, Any] = json.loads((folder / "features.json").read_text())
    return values


def test_what_decides_the_label_is_kept_and_what_does_not_is_not(context: MakeContext) -> None:
    place = context(DERIVE.name)
    result = tried(place, RATIO, "log(noise)", "gt(noise, 0.5)")
    found = result.numbers
    assert found["kept"] == [RATIO]
    assert [row["verdict"] == "kept" for row in found["outcomes"]] == [True, False, False]
    assert found["macro_f1_with"] > found["macro_f1_without"] + 0.05
    low, high = found["outcomes"][0]["ci"]
    assert 0 < low <= found["outcomes"][0]["difference"] <= high
    assert found["level"] == pytest.approx(1 - 0.05 / 3)
    values = kept_in(place, result)
    assert values["kept"] == [RATIO]
    assert [row["expression"] for row in values["choice"]["outcomes"]] == [
        RATIO, "log(noise)", "gt(noise, 0.5)",
    ]  # fmt: skip
    assert "seconds" not in values, "no clock in an artefact"
    assert json.dumps(found), "numbers are JSON"


def test_where_nothing_helps_nothing_is_kept(tmp_path: Path) -> None:
    folder, artifacts = split_of(tmp_path, planted_table(tmp_path / "luck.csv", decides=False))
    place = ToolContext(
        store=ArtifactStore(folder / "artifacts"),
        inputs={name: artifacts[name] for name in ("split_rows", "split")},
    )
    result = tried(place, RATIO, "diff(sent, received)", "log(sent)", "eq(service, 'dns')")
    assert result.numbers["kept"] == []
    assert kept_in(place, result)["kept"] == []
    assert result.numbers["macro_f1_with"] == result.numbers["macro_f1_without"]


def test_the_same_call_leaves_the_same_artefact(context: MakeContext) -> None:
    place = context(DERIVE.name)
    assert tried(place, RATIO).artifacts == tried(place, RATIO).artifacts


def test_the_test_side_is_not_read(context: MakeContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands on the test side, labels and cells, the result is the same to the bit."""
    place = context(DERIVE.name)
    plain = tried(place, RATIO, "log(noise)")
    rows = read_rows(place.artifact("split_rows"))
    on_test = np.zeros(rows.num_rows, bool)
    on_test[Split.load(place.artifact("split")).rows_on("test")] = True
    sent = np.where(on_test, np.nan, rows["sent"].to_numpy())
    labels = np.where(on_test, "up", rows["label"].to_numpy(zero_copy_only=False))
    for name, values in (("sent", pa.array(sent)), ("label", pa.array(labels))):
        at, declared = rows.schema.get_field_index(name), rows.schema.field(name)
        rows = rows.set_column(at, declared, values.cast(declared.type))
    digest = place.store.make(lambda folder: write_rows(folder, rows))
    other = replace(place, inputs={**place.inputs, "split_rows": digest})
    monkeypatch.setattr(Split, "check", lambda split, rows: None)  # which sees other rows
    assert tried(other, RATIO, "log(noise)").artifacts == plain.artifacts


@pytest.mark.parametrize(
    ("texts", "masks", "said"),
    [
        (["ratio(sent, recieved)"], [], "Did you mean received"),
        (["ratio(sent, service)"], [], "does not take"),
        (["ratio(sent, received"], [], "not the end"),
        (["window_count(sent, by=service, last=3)"], [], "carry no time"),
        ([RATIO, "ratio( sent,received )"], [], "comes twice"),
        ([RATIO], ["column"], "masked with the group 'column'"),
        (["log(label)"], [], "bookkeeping"),
    ],
)
def test_what_cannot_be_tried_is_refused_when_it_is_priced(
    context: MakeContext, texts: list[str], masks: list[str], said: str
) -> None:
    params = check_params(DERIVE, {"expressions": texts, "masks": masks})
    with pytest.raises(InputError, match=said):
        DERIVE.estimate(params, context(DERIVE.name))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"expressions": []}, "at least 1"),
        ({"expressions": [f"log(c{n})" for n in range(21)]}, "at most 20"),
        ({"expressions": ["a" * 201]}, "at most 200"),
        ({"expressions": [RATIO], "model": "cnn"}, "no model of the ladder 'cnn'|cnn"),
        ({"expressions": [RATIO], "repeats": 0}, "greater than or equal to 1"),
    ],
)
def test_parameters_have_bounds(params: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_params(DERIVE, params)


def test_the_price_is_of_all_fits(context: MakeContext) -> None:
    place = context(DERIVE.name)
    one, many = (
        DERIVE.estimate(check_params(DERIVE, {"expressions": texts, "repeats": times}), place)
        for texts, times in ((["log(sent)"], 1), ([RATIO, "log(sent)", "log(noise)"], 5))
    )
    assert one.rows == many.rows == 420
    assert many.minutes == pytest.approx(10 * one.minutes)


# --- who reads what was kept ---------------------------------------------------------------------


@pytest.fixture
def features(context: MakeContext) -> str:
    """The artefact of a choice that kept the ratio."""
    return tried(context(DERIVE.name), RATIO).artifacts["features"]


@pytest.mark.parametrize(
    ("tool", "params", "name"),
    [
        (LADDER, {"models": ["random_forest"]}, "random_forest"),
        (CNN, {"epochs": 3, "channels": 4}, "cnn"),
    ],
)
def test_models_read_what_was_kept(
    context: MakeContext, features: str, tool: Any, params: dict[str, Any], name: str
) -> None:
    place = context(tool.name, features=features)
    result = run(tool, place, **params)
    model = load_model(place.store.path(result.artifacts[f"model/{name}"]) / "model")
    assert isinstance(model, Derived) and model.features == [RATIO]
    assert isinstance(tool.estimate(check_params(tool, params), place).minutes, float)
    rows = read_rows(place.artifact("split_rows"))
    assert len(predict(model, rows)) == rows.num_rows, "of plain rows"


def test_the_ladder_is_better_for_it(context: MakeContext, features: str) -> None:
    asked = {"models": ["random_forest"]}
    without = run(LADDER, context(LADDER.name), **asked).numbers["validation"]
    with_it = run(LADDER, context(LADDER.name, features=features), **asked).numbers["validation"]
    assert with_it["random_forest"] > without["random_forest"] + 0.05


def test_made_rows_have_the_ratio_of_their_made_cells(context: MakeContext, features: str) -> None:
    """Generators do not meet derived columns; models compute them from made cells."""
    place = context(MAKE.name, features=features)
    assert "features" not in place.inputs, "rows are made of the columns that there are"
    result = run(MAKE, place, arm="smote", amount=0.5)
    made = read_rows(place.store.path(result.artifacts["synthetic"]))
    assert [name for name in made.column_names if name.startswith("feature_")] == []
    both = context(LADDER.name, features=features, synthetic=result.artifacts["synthetic"])
    trained = run(LADDER, both, models=["random_forest"])
    assert trained.work > 420, "made rows were learned from"
    digest = trained.artifacts["model/random_forest"]
    model = load_model(both.store.path(digest) / "model")
    by_hand = predict(model, made.drop_columns("label"))
    assert len(by_hand) == made.num_rows


def test_a_study_of_generators_fits_models_with_the_features(
    context: MakeContext, features: str
) -> None:
    asked: dict[str, Any] = {
        "arms": ["duplicates"], "amounts": [1], "models": ["random_forest"],
        "per_class": 20, "draws": 6,
    }  # fmt: skip
    alone = [
        run(EXPLORE, context(EXPLORE.name, **more), **asked).numbers["models"][0]["alone"]
        for more in ({}, {"features": features})
    ]
    assert alone[1] > alone[0] + 0.02
