"""Tools that learn from few labels, on a table of which a family is absent from these."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from agents.terminal.direct import Direct
from pipelines.augment.asking import Cell, RowsAsked
from pipelines.augment.trial import Made
from pipelines.errors import InputError
from pipelines.progress import silent
from pipelines.store.rows import read_rows
from tools.calls import call_key, check_params
from tools.registry import TOOLS
from tools.spec import ToolContext, ToolResult

EXPLORE, MAKE, FEW = (TOOLS[name] for name in ("explore_arms", "augment_rows", "study_few_labels"))
MakeContext = Callable[..., ToolContext]
SCAN = {"category": ["scan"]}
STUDY = {"arms": ["duplicates"], "amounts": [1], "models": ["knn"], "per_class": 4, "draws": 6}
# Floods are large; scans are smaller than all else, so they are nearer to normal rows.
SIZES = {"normal": 0.0, "flood": 50.0, "scan": -20.0}


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A workspace with 240 records on their sides, half for test; its folder and its artefacts."""
    folder = tmp_path_factory.mktemp("workspace")
    random = np.random.default_rng(0)
    lines = ["size,rate,category,kind"]
    for number in range(240):
        name = ("normal", "flood", "normal", "scan")[number % 4]
        label = "good" if name == "normal" else "bad"
        lines.append(f"{SIZES[name] + random.normal()},{random.normal()},{name},{label}")
    source = folder / "records.csv"
    source.write_text("\n".join(lines) + "\n")
    direct = Direct(folder, 0, silent)
    direct.import_and_split(source, "kind", "flow", None, 0.5)
    return folder, direct.artifacts


def run(tool: Any, context: ToolContext, **params: Any) -> ToolResult:
    return tool.run(check_params(tool, params), context)


def test_a_study_of_few_labels_says_how_models_do_on_families_never_seen(
    context: MakeContext,
) -> None:
    place = context(FEW.name)
    result = run(FEW, place, models=["knn", "majority"], per_class=5, draws=3, absent=SCAN)
    numbers = result.numbers
    assert numbers["absent"] == "category scan"
    assert 20 < numbers["absent_rows"] < 40 < numbers["test_rows"] == 120
    knn = numbers["models"][0]
    assert knn["absent"] == {
        "rows": numbers["absent_rows"], "mean": 0, "std": 0, "min": 0, "max": 0, "ci": [0, 0],
    }, "a scan is nearer to normal rows than to a flood"  # fmt: skip
    share = numbers["absent_rows"] / 120
    assert knn["accuracy"] == pytest.approx(1 - share, abs=0.02), "on all other rows it is right"
    kept = json.loads(
        (place.store.path(result.artifacts["few_labels"]) / "few_labels.json").read_bytes()
    )
    assert kept["models"]["knn"]["absent"]["mean"] == 0
    assert numbers["validation"]["knn"] == 1, "within the drawn rows there is no scan to miss"


def test_with_the_family_among_the_labels_it_is_found(context: MakeContext) -> None:
    """Nothing else makes the difference: the same rows, masks and test."""
    numbers = run(FEW, context(FEW.name), models=["knn"], per_class=20, draws=2).numbers
    assert numbers["models"][0]["accuracy"] > 0.99
    assert (numbers["absent"], numbers["absent_rows"]) == ("", 0)
    assert numbers["models"][0]["absent"] is None


def test_no_draw_holds_a_row_of_an_absent_family(
    context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pipelines.evaluate.few_labels as study

    seen: set[str] = set()

    def fit(name: str, rows: pa.Table, *rest: Any) -> Any:
        seen.update(rows["category"].to_pylist())
        return study_fit(name, rows, *rest)

    study_fit = study.fit_rows
    monkeypatch.setattr(study, "fit_rows", fit)
    run(FEW, context(FEW.name), models=["knn"], per_class=10, draws=4, absent=SCAN)
    assert seen == {"normal", "flood"}


def test_label_columns_are_no_features(context: MakeContext) -> None:
    """The column that names families would tell the class at a glance."""
    place = context(FEW.name)
    result = run(FEW, place, models=["knn"], per_class=5, draws=2, absent=SCAN)
    card = json.loads(
        (place.store.path(result.artifacts["model/knn"]) / "model" / "card.json").read_bytes()
    )
    assert "category" not in json.dumps(card)


def test_a_study_of_arms_learns_from_no_row_of_an_absent_family(
    context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither drawn, nor as more real rows; the validation rows that judge are all there."""
    import pipelines.augment.trial as trial

    seen: set[str | None] = set()

    def fit(name: str, rows: pa.Table, *rest: Any, **more: Any) -> Any:
        seen.update(rows["category"].to_pylist())
        return trial_fit(name, rows, *rest, **more)

    trial_fit = trial.fit_rows
    monkeypatch.setattr(trial, "fit_rows", fit)
    place = context(EXPLORE.name)
    result = run(EXPLORE, place, **{**STUDY, "amounts": [8]}, absent=SCAN)
    assert seen == {"normal", "flood", None}, "made rows are of no family"
    numbers = result.numbers
    assert 0 < numbers["absent_rows"] < numbers["validation_rows"] == 24
    [found] = numbers["models"]
    assert found["on_absent"].startswith("Families that no draw holds: accuracy 0.000")
    folder = place.store.path(result.artifacts["exploration"])
    kept = json.loads((folder / "exploration.json").read_bytes())
    assert kept["absent_rows"] == numbers["absent_rows"]
    assert {o["arm"]: o["absent"]["gain"] for o in kept["models"]["knn"]["outcomes"]} == {
        "duplicates": 0, "more_real_rows": 0,
    }  # fmt: skip


def test_an_author_is_shown_no_range_of_an_absent_family(context: MakeContext) -> None:
    """Only scans are far below nought: with them absent no range reaches there."""

    class Author:
        def __init__(self) -> None:
            self.lowest = 0.0

        def write(self, asked: RowsAsked) -> list[list[Cell]]:
            columns = {column.name: column for column in asked.columns}
            self.lowest = min(self.lowest, *(c.low for c in columns.values() if not c.values))
            random = np.random.default_rng(len(asked.columns))
            return [
                [
                    c.values[0] if c.values else float(random.uniform(c.low, c.high))
                    for c in asked.columns
                ]
                for _ in range(asked.count)
            ]

    for absent, least, most in (({}, -25, -15), (SCAN, -5, -1)):
        author = Author()
        place = replace(context(EXPLORE.name), author=author)
        run(EXPLORE, place, **{**STUDY, "arms": ["llm"]}, absent=absent)
        assert least < author.lowest < most


def test_within_the_labelled_rows_no_fold_holds_an_absent_family(context: MakeContext) -> None:
    asked = {"arms": ["duplicates"], "amounts": [1], "models": ["majority"], "within": True}
    plain = run(EXPLORE, context(EXPLORE.name), **asked).numbers
    numbers = run(EXPLORE, context(EXPLORE.name), **asked, absent=SCAN).numbers
    assert numbers["rows_per_draw"] < plain["rows_per_draw"]
    assert numbers["absent_rows"] == 0
    assert numbers["models"][0]["on_absent"] == ""


def test_rows_are_made_of_no_absent_family(
    context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[pa.Table] = []

    def arm_of(*names: Any, **rest: Any) -> Any:
        def arm(real: pa.Table, wanted: Any, seed: int) -> Made:
            given.append(real)
            return Made(real)

        return arm

    monkeypatch.setattr("pipelines.augment.arms.arm_of", arm_of)
    result = run(MAKE, context(MAKE.name), arm="smote", amount=1, absent=SCAN)
    assert {*given[0]["category"].to_pylist()} == {"normal", "flood"}
    assert result.numbers["train_rows"] == given[0].num_rows


def test_what_is_absent_is_part_of_the_call(context: MakeContext) -> None:
    place = context(FEW.name)
    keys = {
        call_key(FEW, check_params(FEW, {"absent": absent}), place)
        for absent in ({}, SCAN, {"category": ["flood"]})
    }
    assert len(keys) == 3


@pytest.mark.parametrize("tool", [FEW, EXPLORE, MAKE], ids=lambda tool: tool.name)
@pytest.mark.parametrize(
    ("absent", "said", "mend"),
    [
        ({"famly": ["scan"]}, "no column 'famly'", "There are"),
        ({"categori": ["scan"]}, "no column 'categori'", "'category'"),
        ({"category": ["scna"]}, "No row has 'scna' in column 'category'", "'scan'"),
        ({"size": ["1"]}, "'size' of sample.absent holds no texts", "category"),
        ({"category": ["scan", "flood"]}, "to learn from of bad (0 rows left)", "lower per_class"),
        ({"label": ["good"]}, "to learn from of good (0 rows left)", "Take values out"),
    ],
)
def test_what_cannot_be_absent(
    context: MakeContext, tool: Any, absent: dict[str, Any], said: str, mend: str
) -> None:
    more = {FEW.name: {"models": ["majority"]}, EXPLORE.name: STUDY}.get(
        tool.name, {"arm": "smote", "amount": 1}
    )
    with pytest.raises(InputError) as caught:
        run(tool, context(tool.name), **more, absent=absent)
    assert said in caught.value.message
    assert mend in caught.value.mend
    assert caught.value.exit_code == 2


def test_too_few_rows_of_a_class_are_left(context: MakeContext) -> None:
    place = context(FEW.name)
    rows = read_rows(place.artifact("split_rows"))
    assert rows["category"].to_pylist().count("flood") == 60
    run(FEW, place, models=["majority"], per_class=20, draws=2, absent=SCAN)
    with pytest.raises(InputError, match=r"fewer than 40 rows to learn from of bad \(\d+ rows"):
        run(FEW, place, models=["majority"], per_class=40, draws=2, absent=SCAN)


def test_a_test_without_any_such_row_says_nothing(context: MakeContext) -> None:
    """Of an import of two sources a family may be in the first alone."""
    place = context(FEW.name)

    def nobody(rows: pa.Table, absent: Any) -> np.ndarray:
        return np.zeros(rows.num_rows, dtype=bool)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipelines.datasets.absent.is_absent", nobody)
        with pytest.raises(InputError, match="No test row is of category scan"):
            run(FEW, place, models=["majority"], per_class=5, draws=2, absent=SCAN)


@pytest.mark.parametrize("absent", [{"category": []}, {"category": "scan"}, ["scan"], {"c": [1]}])
def test_parameters_that_cannot_be(absent: Any) -> None:
    with pytest.raises(InputError, match="study_few_labels: absent"):
        check_params(FEW, {"absent": absent})
