"""The tools of the augmentation stage on a small table: a study, rows, and who learns from them."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.terminal.direct import Direct
from pipelines.augment.asking import Cell, RowsAsked
from pipelines.augment.judged import Judged
from pipelines.errors import InputError, NetloopError
from pipelines.progress import silent
from pipelines.store.rows import read_rows
from tools.calls import check_params
from tools.registry import TOOLS
from tools.spec import ToolContext, ToolResult

EXPLORE, MAKE, CNN, LADDER = (
    TOOLS[name] for name in ("explore_arms", "augment_rows", "train_cnn", "train_baselines")
)
MakeContext = Callable[..., ToolContext]


pytestmark = pytest.mark.usefixtures("small_forests")


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A workspace with 200 records on their sides, half for test; its folder and its artefacts."""
    folder = tmp_path_factory.mktemp("workspace")
    random = np.random.default_rng(0)
    lines = ["size,rate,word,kind"]
    for number in range(200):
        attack = number % 2
        size = 200 * attack + random.normal(0, 90)
        word = random.choice(["odd", "plain", "usual"])
        lines.append(f"{size},{size / 3 + random.normal(0, 9)},{word},{'bg'[attack]}")
    source = folder / "records.csv"
    source.write_text("\n".join(lines) + "\n")
    direct = Direct(folder, 0, silent)
    direct.import_and_split(source, "kind", "flow", None, 0.5)
    return folder, direct.artifacts


class Echo:
    """An author that writes random rows within the ranges, or fails from a request on."""

    def __init__(self, fails_at: int = 10**6) -> None:
        self.asked: list[RowsAsked] = []
        self.fails_at = fails_at

    def write(self, asked: RowsAsked) -> list[list[Cell]]:
        if len(self.asked) >= self.fails_at:
            raise NetloopError("The budget is used up.")
        self.asked.append(asked)
        random = np.random.default_rng(len(self.asked))
        return [
            [
                column.values[0]
                if column.values
                else float(random.uniform(column.low, column.high))
                for column in asked.columns
            ]
            for _ in range(asked.count)
        ]


def run(tool: Any, context: ToolContext, **params: Any) -> ToolResult:
    return tool.run(check_params(tool, params), context)


def test_a_study_says_for_each_model_what_to_do(context: MakeContext) -> None:
    place = context(EXPLORE.name)
    result = run(
        EXPLORE, place, arms=["duplicates"], amounts=[2, 1], models=["majority"], per_class=4,
        draws=6, screened=True,
    )  # fmt: skip
    assert result.numbers["draws"] == 6
    assert result.numbers["rows_per_draw"] == 8
    assert result.numbers["validation_rows"] == 20
    [found] = result.numbers["models"]
    assert found["name"] == "majority"
    assert (found["kind"], found["arm"], found["gain"]) == ("none", None, 0.0)
    assert found["words"].startswith("No benefit")
    folder = place.store.path(result.artifacts["exploration"])
    kept = json.loads((folder / "exploration.json").read_bytes())
    arms = [outcome["arm"] for outcome in kept["models"]["majority"]["outcomes"]]
    assert arms == ["duplicates"] * 4 + ["more_real_rows"] * 2
    screened = [outcome["screened"] for outcome in kept["models"]["majority"]["outcomes"]]
    assert screened == [False, False, True, True, False, False]
    assert result.work == check_params(
        EXPLORE, {"arms": ["duplicates"], "amounts": [2, 1], "models": ["majority"], "draws": 6,
                  "screened": True},
    ).fits()  # fmt: skip


def test_a_choice_within_the_labelled_rows(context: MakeContext) -> None:
    place = context(EXPLORE.name)
    asked = {"arms": ["duplicates"], "amounts": [2, 1], "models": ["majority"], "within": True}
    result = run(EXPLORE, place, **asked)
    assert (result.numbers["draws"], result.numbers["rows_per_draw"]) == (10, 64)
    assert result.numbers["validation_rows"] == 0, "they are not read"
    [found] = result.numbers["models"]
    assert (found["kind"], found["arm"], found["gain"]) == ("undecided", None, 0.0)
    assert found["words"].startswith("Declined: in cross-validation of 80 labelled rows")
    folder = place.store.path(result.artifacts["exploration"])
    kept = json.loads((folder / "exploration.json").read_bytes())
    assert kept["within"]
    arms = [outcome["arm"] for outcome in kept["models"]["majority"]["outcomes"]]
    assert arms == ["duplicates"] * 2, "there are no more real rows"
    assert result.work == 10 * 3
    estimate = EXPLORE.estimate(check_params(EXPLORE, asked), place)
    assert estimate.rows == 80


def test_rows_are_made_of_the_train_side_alone(context: MakeContext) -> None:
    place = context(MAKE.name)
    result = run(MAKE, place, arm="smote", amount=0.5)
    gate = result.numbers.pop("gate")
    assert result.numbers == {
        "arm": "smote", "amount": 0.5, "rows": 40, "screened_out": 0, "train_rows": 80, "notes": [],
    }  # fmt: skip
    judged = json.loads((place.store.path(result.artifacts["gate"]) / "gate.json").read_bytes())
    assert gate == judged["verdict"]
    assert gate.startswith("40 rows:")
    made = read_rows(place.store.path(result.artifacts["synthetic"]))
    assert sorted(made["label"].to_pylist()) == ["b"] * 20 + ["g"] * 20
    assert made["flow"].null_count == 40


def test_doubted_rows_are_left_out(context: MakeContext) -> None:
    made = [
        run(MAKE, context(MAKE.name), arm="marginals", amount=8, votes=votes).numbers
        for votes in (None, 3, 2, 1)
    ]
    out = [numbers["screened_out"] for numbers in made]
    assert out[0] == 0
    assert 0 < out[1] <= out[2] <= out[3] < 640
    assert out[1] < out[3]
    assert {numbers["rows"] + numbers["screened_out"] for numbers in made} == {640}


def test_all_made_rows_are_kept_to_be_looked_at(context: MakeContext) -> None:
    """A person is to see what the filter took, too."""
    place = context(MAKE.name)
    result = run(MAKE, place, arm="marginals", amount=8, votes=1)
    made, used = (
        read_rows(place.store.path(result.artifacts[name])) for name in ("made", "synthetic")
    )
    assert (made.num_rows, used.num_rows) == (640, result.numbers["rows"])
    plain = run(MAKE, context(MAKE.name), arm="marginals", amount=8)
    assert plain.artifacts["made"] == plain.artifacts["synthetic"] == result.artifacts["made"]


@pytest.mark.parametrize("votes", [None, 2])
def test_a_person_has_the_last_word(context: MakeContext, votes: int | None) -> None:
    place = context(MAKE.name)
    asked: dict[str, Any] = {"arm": "marginals", "amount": 8, "votes": votes}
    before = run(MAKE, place, **asked)
    made = read_rows(place.store.path(before.artifacts["made"]))
    said = Judged.of(made.slice(0, 20), [False, True] * 10)
    after = run(MAKE, place, **asked, judged=place.store.make(said.write))
    used = read_rows(place.store.path(after.artifacts["synthetic"])).to_pylist()
    assert not any(row in used for row in said.wrong.to_pylist())
    assert all(row in used for row in said.right.to_pylist())
    assert after.artifacts["made"] == before.artifacts["made"]
    if votes is None:
        assert 10 <= after.numbers["screened_out"] <= 12, "these and their equals"


def test_verdicts_that_are_not_there(context: MakeContext) -> None:
    with pytest.raises(NetloopError, match="is not in"):
        run(MAKE, context(MAKE.name), arm="smote", amount=1, judged="0" * 64)


@pytest.mark.parametrize("tool", [LADDER, CNN])
def test_models_learn_from_made_rows_and_are_judged_by_real_ones(
    context: MakeContext, tool: Any
) -> None:
    params = {"models": ["knn"]} if tool is LADDER else {"epochs": 1}
    made = run(MAKE, context(MAKE.name), arm="marginals", amount=8)
    alone = run(tool, context(tool.name), **params)
    place = context(tool.name, **made.artifacts)
    both = run(tool, place, **params)
    assert alone.artifacts != both.artifacts
    assert alone.numbers["validation_rows"] == both.numbers["validation_rows"] == 20


def test_an_author_writes_where_there_is_one(context: MakeContext) -> None:
    author = Echo()
    place = replace(context(MAKE.name), author=author)
    result = run(MAKE, place, arm="llm", amount=0.5)
    assert result.numbers["rows"] == 40
    assert [asked.label for asked in author.asked] == ["b", "g"]
    evolved = run(MAKE, replace(place, author=(again := Echo())), arm="llm_evolved", amount=0.5)
    assert evolved.numbers["rows"] == 40
    assert [asked.round for asked in again.asked] == [0, 0, 1, 1, 2, 2]


def test_without_an_author_nobody_writes(context: MakeContext) -> None:
    with pytest.raises(InputError, match="none is configured"):
        run(MAKE, context(MAKE.name), arm="llm", amount=1)


def test_what_was_written_before_the_budget_ended_is_used_if_a_person_wants_it(
    context: MakeContext,
) -> None:
    place = context(MAKE.name)
    with pytest.raises(NetloopError, match="used up"):
        run(MAKE, replace(place, author=Echo(fails_at=2)), arm="llm", amount=1)
    kept = run(MAKE, replace(place, author=Echo(fails_at=2)), arm="llm", amount=1, partial=True)
    assert kept.numbers["rows"] == 40
    assert kept.numbers["notes"] == ["The budget is used up."]
    with pytest.raises(InputError, match="made no row"):
        run(MAKE, replace(place, author=Echo(fails_at=0)), arm="llm", amount=1, partial=True)


def test_prices(context: MakeContext) -> None:
    plain = EXPLORE.estimate(check_params(EXPLORE, {}), context(EXPLORE.name))
    assert (plain.llm_calls, plain.tokens) == (0, 0)
    assert plain.minutes == pytest.approx(0.4 * 20 * (1 + 5 * 7) * 2 / 60)
    asked = {"arms": ["llm"], "amounts": [1], "per_class": 10, "draws": 6}
    dear = EXPLORE.estimate(check_params(EXPLORE, asked), context(EXPLORE.name))
    assert dear.llm_calls == 12, "ten rows of two classes a draw, one class in a request"
    evolved = {**asked, "arms": ["llm_evolved", "smote"]}
    thrice = EXPLORE.estimate(check_params(EXPLORE, evolved), context(EXPLORE.name))
    assert thrice.llm_calls == 36
    assert dear.tokens > 0
    made = MAKE.estimate(check_params(MAKE, {"arm": "llm", "amount": 1}), context(MAKE.name))
    assert (made.rows, made.llm_calls) == (80, 4)


@pytest.mark.parametrize(
    ("tool", "params", "said"),
    [
        (EXPLORE, {"arms": ["gan"]}, "'gan' is no generator"),
        (EXPLORE, {"models": ["traffic_lm"]}, "'traffic_lm' is no model"),
        (EXPLORE, {"draws": 3}, "6"),
        (MAKE, {"arm": "gan", "amount": 1}, "'gan' is no generator"),
        (MAKE, {"arm": "smote", "amount": 0}, "0"),
        (MAKE, {"arm": "smote", "amount": 1, "votes": 4}, "1, 2 or 3"),
    ],
)
def test_parameters_that_cannot_be(tool: Any, params: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_params(tool, params)
