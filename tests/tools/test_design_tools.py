"""The tools of the design stage on a small table: architectures, prices, what numbers say."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.terminal.direct import Direct
from pipelines.errors import InputError
from pipelines.models.cnn.architecture import Architecture
from pipelines.models.cnn.cost import InputShape, memory_mb, relative_work, total_cost
from pipelines.models.cnn.settings import CnnSettings
from pipelines.models.cnn.shipped import SHIPPED
from pipelines.models.registry import load_model
from pipelines.progress import silent
from pipelines.store.artifacts import ArtifactStore
from tools.calls import call, call_key, check_params, estimate, inputs_of
from tools.rates import DEFAULTS, Rates
from tools.registry import TOOLS
from tools.spec import ToolContext, ToolResult

CNN, LADDER, FEW = TOOLS["train_cnn"], TOOLS["train_baselines"], TOOLS["study_few_labels"]
MakeContext = Callable[..., ToolContext]
ROWS = 100  # train and validation
SHAPE = InputShape(columns=5)  # size, three words and another


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A workspace with 200 records on their sides, half for test; its folder and its artefacts."""
    folder = tmp_path_factory.mktemp("workspace")
    random = np.random.default_rng(0)
    lines = ["size,word,kind"]
    for number in range(200):
        attack = number % 2
        word = random.choice(["odd", "plain", "usual"])
        lines.append(f"{200 * attack + random.normal(0, 90)},{word},{'bad' if attack else 'good'}")
    source = folder / "records.csv"
    source.write_text("\n".join(lines) + "\n")
    direct = Direct(folder, 0, silent)
    direct.import_and_split(source, "kind", "flow", None, 0.5)
    return folder, direct.artifacts


def run(tool: Any, context: ToolContext, **params: Any) -> ToolResult:
    return tool.run(check_params(tool, params), context)


# --- parameters ----------------------------------------------------------------------------------


def test_without_an_architecture_channels_say_the_width() -> None:
    params = check_params(CNN, {})
    assert params.model_dump(exclude={"masks"}) == {
        "epochs": 30, "channels": 64, "architecture": None,
    }  # fmt: skip
    assert params.settings() == CnnSettings()
    assert check_params(CNN, {"channels": 128}).settings().resolved().head == 128


def test_a_name_stands_for_the_whole_specification(context: MakeContext) -> None:
    named = check_params(CNN, {"architecture": "dilated"})
    spelled = check_params(CNN, {"architecture": SHIPPED["dilated"].model_dump(mode="json")})
    assert named == spelled
    assert named.settings().resolved() == SHIPPED["dilated"]
    place = context(CNN.name)
    assert call_key(CNN, named, place) == call_key(CNN, spelled, place)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            "resnet",
            "architecture.*no architecture is called 'resnet'; there are default",
        ),
        ({"columns": [{"width": 0}]}, "architecture.columns.0.width.*greater than or equal to 1"),
        ({"columns": [{"kernel": 2, "residual": True}]}, "columns.0.*take kernel 1"),
        ({"code": "import os"}, "architecture.code.*not permitted"),
        ([1], "architecture"),
    ],
)
def test_an_architecture_that_is_none_is_refused(given: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_params(CNN, {"architecture": given})


def test_the_schema_of_the_parameters_has_every_bound() -> None:
    """What a language model is shown: closed lists and limits, and nothing may be added."""
    schema = CNN.params.model_json_schema()
    block = schema["$defs"]["Block"]
    assert block["additionalProperties"] is False
    numbers = {n: p for n, p in block["properties"].items() if p["type"] in ("integer", "number")}
    assert all("minimum" in p and {"maximum", "exclusiveMaximum"} & {*p} for p in numbers.values())
    assert block["properties"]["norm"]["enum"] == ["none", "batch", "layer"]
    assert schema["$defs"]["Optimiser"]["properties"]["name"]["enum"] == ["adamw", "adam", "sgd"]


# --- prices --------------------------------------------------------------------------------------


def test_the_default_costs_what_its_rate_says(context: MakeContext) -> None:
    price = estimate(CNN, {"epochs": 7}, context(CNN.name))
    assert price.rows == ROWS
    assert price.minutes == pytest.approx(ROWS * 7 * DEFAULTS[CNN.name] / 60)
    cost = total_cost(Architecture(), SHAPE, 2)
    assert price.memory_mb == 500 + ROWS // 100 + memory_mb(cost, 64)


@pytest.mark.parametrize("name", SHIPPED)
def test_others_cost_as_much_more_as_they_compute(name: str, context: MakeContext) -> None:
    place = context(CNN.name)
    times = relative_work(SHIPPED[name], SHAPE, 2)
    minutes = [estimate(CNN, params, place).minutes for params in ({"architecture": name}, {})]
    assert minutes[0] / minutes[1] == pytest.approx(times)


def test_twice_the_channels_cost_more(context: MakeContext) -> None:
    place = context(CNN.name)
    plain, double = (estimate(CNN, {"channels": n}, place) for n in (64, 128))
    assert 2 < double.minutes / plain.minutes < 4
    assert double.memory_mb > plain.memory_mb


@pytest.mark.parametrize(
    ("architecture", "said"),
    [
        ({"columns": [{"kernel": 9}]}, "columns block 1: its kernel spans 9 places.*has 5 there"),
        ({"columns": [{"width": 4096, "kernel": 5}] * 2}, "parameters; .* columns block 2"),
        ({"columns": [{}, {"pool": 6}]}, "columns block 2: it pools 6 places into one"),
    ],
)
def test_what_does_not_fit_the_rows_is_refused_when_it_is_priced(
    architecture: dict[str, Any], said: str, context: MakeContext
) -> None:
    with pytest.raises(InputError, match=said):
        estimate(CNN, {"architecture": architecture}, context(CNN.name))
    with pytest.raises(InputError, match=said):
        run(CNN, context(CNN.name), architecture=architecture)


def test_prices_do_not_wait_for_torch() -> None:
    loaded = "import sys, pipelines.models.cnn.price; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded], check=False).returncode == 0


# --- what a training leaves ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(
    split: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[ToolResult, ToolContext]:
    """The CNN of a specification, trained until it stopped or for 40 epochs."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copytree(split[0], folder, dirs_exist_ok=True)
    inputs = inputs_of(CNN, split[1])
    place = ToolContext(ArtifactStore(folder / "artifacts"), inputs, rates=Rates.of(folder))
    found, _ = call(CNN, {"epochs": 40, "architecture": "small"}, place, folder / "calls")
    return found, place


def test_its_numbers_say_how_it_learnt(trained: tuple[ToolResult, ToolContext]) -> None:
    numbers, place = trained[0].numbers, trained[1]
    learning = numbers["learning"]["cnn"]
    curve = learning["curve"]
    assert [line["epoch"] for line in curve] == list(range(1, numbers["epochs"] + 1))
    assert {*curve[0]} == {"epoch", "loss", "validation_macro_f1", "validation_loss"}
    best = curve[learning["best_epoch"] - 1]["validation_macro_f1"]
    assert best == max(line["validation_macro_f1"] for line in curve)
    assert best == pytest.approx(numbers["validation"]["cnn"], abs=1e-3)
    assert learning["stopped_early"] == (numbers["epochs"] < 40)
    model = load_model(place.store.path(trained[0].artifacts["model/cnn"]) / "model")
    assert len(model.curve) == 0
    assert model.settings.epochs == learning["best_epoch"]
    assert learning["parameters"] == total_cost(SHIPPED["small"], SHAPE, 2).parameters
    json.dumps(numbers, allow_nan=False)


def test_its_numbers_say_where_the_seconds_were_spent(
    trained: tuple[ToolResult, ToolContext],
) -> None:
    from pipelines.models.cnn.training import best_device

    numbers = trained[0].numbers
    assert numbers["device"] == {"cnn": str(best_device())}
    assert 0 < numbers["seconds"]["cnn"] <= trained[0].seconds


def test_its_work_is_counted_as_its_price_is(trained: tuple[ToolResult, ToolContext]) -> None:
    found, place = trained
    ran = found.numbers["epochs"]
    priced = estimate(CNN, {"epochs": ran, "architecture": "small"}, place).minutes
    assert found.work * DEFAULTS[CNN.name] / 60 == pytest.approx(priced)


def test_a_later_trial_may_be_of_another_architecture(
    trained: tuple[ToolResult, ToolContext],
) -> None:
    """The one that validation prefers stays, whatever it looks like."""
    first, place = trained
    after = replace(place, inputs={**place.inputs, **first.artifacts})
    worse = run(CNN, after, epochs=1, channels=4)
    assert worse.numbers["validation"] == first.numbers["validation"]
    assert worse.artifacts == first.artifacts
    assert worse.numbers["learning"]["cnn"]["best_epoch"] == 1


def test_null_and_default_make_the_same_model(context: MakeContext) -> None:
    place = context(CNN.name)
    found = [run(CNN, place, epochs=1, architecture=given) for given in (None, "default", {})]
    assert found[0].artifacts == found[1].artifacts == found[2].artifacts


def test_baselines_learn_on_processors_and_without_epochs(context: MakeContext) -> None:
    numbers = run(LADDER, context(LADDER.name), models=["majority", "knn"]).numbers
    assert numbers["device"] == {"majority": "cpu", "knn": "cpu"}
    assert {*numbers["seconds"]} == {"majority", "knn"}
    assert numbers["learning"] == {}


def test_the_few_label_study_says_its_seconds_too(context: MakeContext) -> None:
    place = context(FEW.name)
    numbers = run(FEW, place, models=["majority"], per_class=5, draws=2).numbers
    assert numbers["device"] == {"few_labels": "cpu"}
    assert numbers["seconds"]["few_labels"] > 0


@pytest.mark.parametrize("tool", [CNN, LADDER, FEW], ids=lambda tool: tool.name)
def test_results_that_lack_these_numbers_are_not_recalled(tool: Any) -> None:
    assert tool.version == 2
