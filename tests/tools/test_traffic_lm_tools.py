"""The tools of the traffic language model on a small table: prices, refusals, training, packing."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from traffic_lm_bases import traffic_base

from agents.terminal.direct import Direct
from pipelines.errors import InputError
from pipelines.models.registry import load_model
from pipelines.models.traffic_lm.cost import base_size, passes, work
from pipelines.operate.detector import Detector
from pipelines.progress import silent
from pipelines.store.artifacts import ArtifactStore
from pipelines.store.rows import read_rows
from tools.calls import call_key, check_params, estimate, inputs_of
from tools.rates import DEFAULTS, Rates
from tools.registry import TOOLS
from tools.spec import ToolContext, ToolResult
from tools.traffic_lm import CONTROLS

TRY, TRAIN = TOOLS["try_traffic_lm"], TOOLS["train_traffic_lm"]
MakeContext = Callable[..., ToolContext]
# Rows of train and validation, see ``sides``.
SIDES = (80, 20)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Two programs with threads on two cores wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return traffic_base(tmp_path_factory.mktemp("bases") / "tiny")


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A workspace with 200 records on their sides, half for test; its folder and its artefacts."""
    folder = tmp_path_factory.mktemp("workspace")
    random = np.random.default_rng(0)
    lines = ["size,word,kind"]
    for number in range(200):
        attack = number % 2
        word = ("odd", "strange") if attack else ("plain", "usual")
        name = "attack" if attack else "normal"
        lines.append(f"{random.integers(900) + 100 * number},{random.choice(word)},{name}")
    source = folder / "records.csv"
    source.write_text("\n".join(lines) + "\n")
    direct = Direct(folder, 0, silent)
    direct.import_and_split(source, "kind", "flow", None, 0.5)
    direct.call("record_requirements")
    return folder, direct.artifacts


def run(tool: str, context: ToolContext, **params: Any) -> ToolResult:
    return TOOLS[tool].run(check_params(TOOLS[tool], params), context)


def units(base: Path, epochs: int, *controls: str) -> float:
    """The work of a training as the price counts it."""
    return work(passes(*SIDES, epochs, controls), base_size(str(base)), 126)


# --- prices --------------------------------------------------------------------------------------


def test_before_anything_was_measured_the_price_is_a_guess_of_the_base(
    base: Path, context: MakeContext
) -> None:
    price = estimate(TRAIN, {"base": str(base), "epochs": 5}, context(TRAIN.name))
    assert price.rows == sum(SIDES)
    assert price.minutes == pytest.approx(units(base, 5) * DEFAULTS[TRAIN.name] / 60)
    assert price.memory_mb > 0
    assert not price.measured


def test_controls_and_epochs_have_their_price(base: Path, context: MakeContext) -> None:
    def minutes(**params: Any) -> float:
        return estimate(TRAIN, {"base": str(base), **params}, context(TRAIN.name)).minutes

    assert minutes(epochs=4, controls=["traffic_lm_random"]) == pytest.approx(2 * minutes(epochs=4))
    assert minutes(epochs=4) < minutes(epochs=4, controls=["traffic_lm_frozen"]) < minutes(epochs=8)
    assert minutes(epochs=4, most_tokens=258) == pytest.approx(2 * minutes(epochs=4))


def test_a_try_has_a_price_too(base: Path, context: MakeContext) -> None:
    price = estimate(TRY, {"base": str(base)}, context(TRY.name))
    assert (price.rows, price.minutes) == (64, DEFAULTS[TRY.name] / 60)


@pytest.mark.parametrize("tool", [TRY, TRAIN], ids=lambda tool: tool.name)
@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"base": "/nowhere"}, "/nowhere has no safetensors weights"),
        ({"task": "MTX"}, "There is no task 'MTX'"),
        ({"controls": ["frozen"]}, "controls.0"),
        ({"method": "adapters"}, "method"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_priced(
    base: Path, context: MakeContext, tool: Any, params: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        estimate(tool, {"base": str(base), **params}, context(tool.name))


@pytest.mark.parametrize(
    ("given", "controls"),
    [
        (True, [*CONTROLS]),
        (False, []),
        (["traffic_lm_random"], ["traffic_lm_random"]),
    ],
)
def test_controls_are_named_or_all_or_none(given: Any, controls: list[str]) -> None:
    params = check_params(TRAIN, {"controls": given})
    assert params.model_dump()["controls"] == controls


def test_another_base_of_the_same_name_is_another_call(
    base: Path, context: MakeContext, tmp_path: Path
) -> None:
    mine = shutil.copytree(base, tmp_path / "base")
    params, held = check_params(TRAIN, {"base": str(mine)}), context(TRAIN.name)
    before = call_key(TRAIN, params, held)
    assert call_key(TRAIN, params, held) == before
    tensors = load_file(mine / "model.safetensors")
    tensors["model.norm.weight"] += 1
    save_file(tensors, mine / "model.safetensors", {"format": "pt"})
    assert call_key(TRAIN, params, held) != before


# --- the try -------------------------------------------------------------------------------------


def test_a_try_tells_what_the_whole_will_take(base: Path, context: MakeContext) -> None:
    held = context(TRY.name)
    found = run(TRY.name, held, base=str(base), epochs=5, controls=True).numbers
    tried, whole = found["try"], found["whole"]
    assert (tried["rows"], tried["classes"], tried["steps"]) == (64, 2, 6)
    count = passes(*SIDES, 5, CONTROLS)
    trained = count.trained / tried["train_tokens_per_second"]
    scored = count.scored / tried["score_tokens_per_second"]
    assert whole["minutes"] == pytest.approx(tried["tokens_per_row"] * (trained + scored) / 60)
    assert 4 < whole["minutes"] / whole["minutes_per_epoch"] < 6
    assert whole["memory_mb"] >= tried["memory_mb"]
    json.dumps(found, allow_nan=False)


def test_after_a_try_the_price_of_the_training_is_measured(
    base: Path, context: MakeContext, tmp_path: Path
) -> None:
    held = context(TRY.name)
    params = {"base": str(base), "epochs": 5}
    foretold = run(TRY.name, held, **params).numbers["whole"]["minutes"]
    price = estimate(TRAIN, params, context(TRAIN.name))
    assert price.measured
    assert price.minutes == pytest.approx(foretold)
    kept = json.loads((tmp_path / "workspace" / "rates.json").read_text())
    assert kept[TRAIN.name] == pytest.approx(60 * foretold / units(base, 5))


def test_a_training_that_takes_too_long_is_refused(base: Path, context: MakeContext) -> None:
    """Whatever the machine does meanwhile: thirty epochs' time is less than a thousand's."""
    held = context(TRY.name)
    each = run(TRY.name, held, base=str(base)).numbers["whole"]["minutes_per_epoch"]
    params = {"base": str(base), "epochs": 1000, "most_minutes": 30 * each}
    with pytest.raises(InputError, match="1000 epochs of traffic_lm would take") as caught:
        run(TRY.name, held, **params)
    assert re.search(r"[\d.]+ (minutes|seconds) may be spent: 100 rows of about \d+ tokens",
                     caught.value.message)  # fmt: skip
    epochs = re.search(r"^(\d+) epochs? would fit", caught.value.mend)
    assert epochs is not None and 1 <= int(epochs[1]) < 1000
    edits = f"(edit try_traffic_lm.epochs={epochs[1]} train_traffic_lm.epochs={epochs[1]})"
    assert edits in caught.value.mend


def test_where_not_one_epoch_fits_the_mend_is_another(base: Path, context: MakeContext) -> None:
    held = context(TRY.name)
    with pytest.raises(InputError, match="may be spent") as caught:
        run(TRY.name, held, base=str(base), most_minutes=1e-9)
    assert caught.value.mend == (
        "Not one epoch would fit; or take a smaller base, or go on without traffic_lm."
    )
    assert TRAIN.name in held.rates.measured, "what was measured is kept"


def test_a_large_base_is_tried_on_fewer_rows(base: Path, context: MakeContext) -> None:
    """As slow as a rate of one second a unit would make this one."""
    held = context(TRY.name)
    held.rates.keep(TRAIN.name, 100.0)
    assert run(TRY.name, held, base=str(base)).numbers["try"]["rows"] == 8


# --- the training --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(
    split: tuple[Path, dict[str, str]], base: Path
) -> tuple[ToolContext, ToolResult, dict[str, str]]:
    """The model and its controls, trained for two epochs; with the artefacts beside it."""
    context = ToolContext(
        store=ArtifactStore(split[0] / "artifacts"), inputs=inputs_of(TRAIN, split[1])
    )
    result = run(TRAIN.name, context, base=str(base), epochs=2, controls=True)
    forest = run("train_baselines", context, models=["random_forest"])
    return context, result, {**split[1], **result.artifacts, **forest.artifacts}


Trained = tuple[ToolContext, ToolResult, dict[str, str]]


def test_models_are_kept_like_those_of_other_trainings(trained: Trained, base: Path) -> None:
    context, result, _ = trained
    names = ["traffic_lm", "traffic_lm_frozen", "traffic_lm_random"]
    assert list(result.artifacts) == [f"model/{name}" for name in names]
    for name in names:
        folder = context.store.path(result.artifacts[f"model/{name}"])
        model = load_model(folder / "model")
        assert (model.name, model.classes) == (name, ["attack", "normal"])
        fit = json.loads((folder / "fit.json").read_text())
        assert fit["validation_macro_f1"] == result.numbers["validation"][name]
        assert len(fit["curve"]) == (0 if name == "traffic_lm_frozen" else 2)
    assert set(result.numbers["seconds"]) == set(names)
    assert result.numbers["validation_rows"] == SIDES[1]


def test_work_is_counted_as_the_price_counts_it(trained: Trained, base: Path) -> None:
    assert trained[1].work == pytest.approx(units(base, 2, *CONTROLS))


def test_nothing_is_left_of_the_checkpoints(trained: Trained) -> None:
    assert not (trained[0].store.root.parent / "checkpoints").exists()


def test_checkpoints_of_another_training_are_left_alone(base: Path, context: MakeContext) -> None:
    held = context(TRAIN.name)
    other = held.store.root.parent / "checkpoints" / "another"
    other.mkdir(parents=True)
    run(TRAIN.name, held, base=str(base), epochs=1)
    assert [path.name for path in other.parent.iterdir()] == ["another"]


def test_a_training_that_goes_on_has_no_clock(base: Path, context: MakeContext) -> None:
    """What was done before it was killed took its time, too."""
    held, params = context(TRAIN.name), {"base": str(base), "epochs": 1}
    key = call_key(TRAIN, check_params(TRAIN, params), held)
    (held.store.root.parent / "checkpoints" / key).mkdir(parents=True)
    result = run(TRAIN.name, held, **params)
    assert (result.work, result.numbers["seconds"]) == (0.0, {})


# --- stress and package --------------------------------------------------------------------------


def with_models(trained: Trained, tool: str, rates: Rates | None = None) -> ToolContext:
    found = replace(trained[0], inputs=inputs_of(TOOLS[tool], trained[2]))
    return found if rates is None else replace(found, rates=rates)


def test_a_few_rows_are_shuffled(trained: Trained) -> None:
    context = with_models(trained, "stress_model")
    one, two = (run("stress_model", context, model="traffic_lm", draws=2, rows=30) for _ in "ab")
    assert one.numbers == two.numbers
    assert (one.numbers["rows"], one.numbers["draws"]) == (30, 2)
    assert one.work == 0.0, "it says nothing about other models"


@pytest.mark.parametrize(("rows", "asked"), [(None, 100), (1000, 100), (40, 40)])
def test_all_rows_are_shuffled_where_it_is_not_said(
    trained: Trained, rows: int | None, asked: int
) -> None:
    context = with_models(trained, "stress_model")
    result = run("stress_model", context, model="random_forest", draws=2, rows=rows)
    assert (result.numbers["rows"], result.work) == (asked, asked)


def test_shuffling_a_language_model_has_its_price(trained: Trained) -> None:
    rates = Rates(measured={TRAIN.name: 1.0, "stress_model": 0.0})
    context = with_models(trained, "stress_model", rates)

    def minutes(**params: Any) -> float:
        return estimate(TOOLS["stress_model"], params, context).minutes

    assert minutes(model="random_forest") == 0
    whole = minutes(model="traffic_lm", draws=2)
    assert minutes(model="traffic_lm", draws=2, rows=10) == pytest.approx(whole / 10)
    fields = 2  # size and word; as they are and forged, and twice shuffled
    assert minutes(model="traffic_lm", draws=5) == pytest.approx(whole * (2 + 5 * fields) / 6)


def packed(trained: Trained, model: str, unknown: bool) -> Detector:
    context = with_models(trained, "package_detector")
    result = run("package_detector", context, model=model, unknown=unknown)
    return Detector.load(context.store.path(result.artifacts["detector"]))


def test_a_flow_is_called_unknown_where_the_model_is_less_sure(trained: Trained) -> None:
    detector = packed(trained, "traffic_lm", unknown=True)
    sure = detector.classifier.unknown_below  # type: ignore[attr-defined]
    assert 0.5 <= sure < 1
    assert detector.manifest.thresholds == {"attack": sure, "normal": sure}
    assert packed(trained, "traffic_lm", unknown=False).manifest.thresholds == {}


@pytest.mark.parametrize("model", ["random_forest", "traffic_lm_frozen"])
def test_models_that_do_not_know_when_they_are_unsure(trained: Trained, model: str) -> None:
    with pytest.raises(InputError, match=f"{model} does not say how sure") as caught:
        packed(trained, model, unknown=True)
    assert "Leave out unknown" in caught.value.mend
    assert packed(trained, model, unknown=False).manifest.model == model


def test_all_models_are_scored_on_the_test_side(trained: Trained) -> None:
    result = run("evaluate_models", with_models(trained, "evaluate_models"), best="traffic_lm")
    assert [row["name"] for row in result.numbers["models"]] == [
        "random_forest",
        "traffic_lm",
        "traffic_lm_frozen",
        "traffic_lm_random",
    ]
    assert result.numbers["best_baseline"] == "random_forest"


def test_a_class_that_only_the_test_side_has(trained: Trained, tmp_path: Path) -> None:
    """It is scored, and found by no model."""
    from pipelines.evaluate.evaluate import evaluate_models

    context = with_models(trained, "evaluate_models")
    rows = read_rows(context.artifact("split_rows")).slice(0, 20)
    labels = [*rows["label"].to_pylist()[:15], *["new"] * 5]
    model = load_model(context.named("model/")["traffic_lm"] / "model")
    found = evaluate_models(
        {"traffic_lm": model},
        rows,
        labels,
        list(range(20)),
        validation_scores={"traffic_lm": 0.5},
        seed=0,
        progress=silent,
    )
    assert found.classes == ["attack", "new", "normal"]
    assert found.models["traffic_lm"].per_class["new"].recall == 0
