"""Tools of the design stage for the traffic language model: try it on a few rows, then train it.

A training takes long, so the try says beforehand what it will take, and a training that was killed
goes on from its checkpoints.
"""

import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import Field, field_validator

from pipelines.errors import InputError
from pipelines.models.traffic_lm.settings import TrafficLmSettings
from pipelines.words import counted
from tools.calls import call_key
from tools.design import MODEL_PREFIX, TrainParams, device_of, train_models
from tools.rates import Rates
from tools.sides import count_on, sides_to_choose_by
from tools.spec import Estimate, ToolContext, ToolResult, ToolSpec

if TYPE_CHECKING:
    from pipelines.models.traffic_lm.smoke import Smoke

MODEL = "traffic_lm"
Control = Literal["traffic_lm_frozen", "traffic_lm_random"]
CONTROLS: tuple[Control, ...] = get_args(Control)
DEFAULTS = TrafficLmSettings()
# Rows of a try; fewer of a base so large that a pass over them would take longer than that.
MOST_ROWS, FEWEST_ROWS, PASS_SECONDS = 64, 8, 20
# Of what may be spent: the next try may find the machine a little slower.
ROOM = 0.8
BASE_FILES = (".safetensors", ".json")


class TrafficLmParams(TrainParams):
    base: str = Field(
        default=DEFAULTS.base,
        min_length=1,
        description="traffic-nano, or the folder of a base that has the traffic tokens",
    )
    method: Literal["auto", "full", "lora", "prefix"] = Field(
        default=DEFAULTS.method,
        description="What is trained; auto: all of a small base, low-rank changes of a larger one",
    )
    epochs: int = Field(
        default=DEFAULTS.epochs,
        ge=1,
        le=1000,
        description="At most; early stopping may end it sooner",
    )
    labels: Literal["tokens", "names"] = Field(
        default=DEFAULTS.labels, description="Answer with a token for each class, or with its name"
    )
    task: str = Field(default=DEFAULTS.task, description="The task that prompts begin with")
    most_tokens: int = Field(
        default=DEFAULTS.most_tokens, ge=8, le=8192, description="Tokens of a row's text"
    )
    learning_rate: float | None = Field(
        default=None, gt=0, description="The highest; by method and size of the base if left out"
    )
    gradient_checkpointing: bool = Field(
        default=False, description="Compute layers twice rather than keep them: less memory"
    )
    four_bit: bool = Field(default=False, description="Load the base in 4 bits (on a CUDA device)")
    controls: list[Control] = Field(
        default_factory=list, description="The untuned base, the same network from random weights"
    )

    @field_validator("controls", mode="before")
    @classmethod
    def all_or_none(cls, given: Any) -> Any:
        """``true`` stands for both controls, ``false`` for none."""
        return list(CONTROLS if given else ()) if isinstance(given, bool) else given

    def settings(self) -> TrafficLmSettings:
        """The model's settings. Raises InputError for an unknown task."""
        return TrafficLmSettings.model_validate(
            self.model_dump(include=set(TrafficLmSettings.model_fields))
        )


class TryParams(TrafficLmParams):
    most_minutes: float | None = Field(
        default=None, ge=0, description="What the training may take; more is refused"
    )


def training_minutes(
    params: TrafficLmParams, train: int, validation: int, rates: Rates
) -> tuple[float, float]:
    """Minutes of the whole training apart from its epochs, and of each epoch.

    Raises InputError for a base that is not on this machine.
    """
    one, two = (rates.minutes(TRAIN, _work(params, train, validation, n)) for n in (1, 2))
    return 2 * one - two, two - one


def scoring_minutes(settings: Mapping[str, Any], rows: int, rates: Rates) -> float:
    """Minutes in which a model of these settings scores ``rows``."""
    from pipelines.models.traffic_lm.cost import Passes, base_size, work

    known = TrafficLmSettings.model_validate(settings)
    size = base_size(known.base)
    return rates.minutes(TRAIN, work(Passes(scored=rows), size, known.most_tokens))


def _work(params: TrafficLmParams, train: int, validation: int, epochs: int) -> float:
    from pipelines.models.traffic_lm.cost import base_size, passes, work

    count = passes(train, validation, epochs, params.controls)
    return work(count, base_size(params.base), params.most_tokens)


def _try(params: TryParams, context: ToolContext) -> ToolResult:
    from pipelines.models.traffic_lm.cost import base_size, kept_mb, passes
    from pipelines.models.traffic_lm.smoke import smoke

    started, settings = time.monotonic(), params.settings()
    train, validation, _ = sides_to_choose_by(context)
    sides = train.num_rows, validation.num_rows
    found = smoke(
        settings,
        train,
        masks=params.masks,
        seed=context.seed,
        most_rows=_try_rows(params, context.rates),
        progress=context.progress,
    )
    seconds = found.seconds(passes(*sides, params.epochs, params.controls))
    context.rates.keep(TRAIN, seconds / _work(params, *sides, params.epochs))
    besides, each = training_minutes(params, *sides, context.rates)
    minutes, most = besides + params.epochs * each, params.most_minutes
    if most is not None and minutes > most:
        fitting = int((ROOM * most - besides) / each)
        raise _too_long(params, found, sum(sides), minutes, most, fitting)
    kept = kept_mb(base_size(params.base), settings, sum(sides) * found.tokens_per_row)
    whole = {"minutes": minutes, "minutes_per_epoch": each, "memory_mb": found.memory_mb + kept}
    numbers = {
        "try": found.model_dump(mode="json"),
        "whole": whole,
        "seconds": {MODEL: round(time.monotonic() - started, 3)},
        "device": {MODEL: device_of([MODEL])},
    }
    return ToolResult(numbers=numbers, work=1.0)


def _try_rows(params: TrafficLmParams, rates: Rates) -> int:
    """As many rows as there is time for."""
    from pipelines.models.cnn.training import best_device
    from pipelines.models.traffic_lm.cost import Passes, base_size, work

    if best_device().type == "cuda":  # known rates are of processors
        return MOST_ROWS
    a_row = work(Passes(trained=1), base_size(params.base), params.most_tokens)
    fitting = PASS_SECONDS / (60 * rates.minutes(TRAIN, a_row))
    return int(min(MOST_ROWS, max(FEWEST_ROWS, fitting)))


def _too_long(
    params: TryParams, found: "Smoke", rows: int, minutes: float, most: float, fitting: int
) -> InputError:
    if fitting >= 1:
        edits = f"{TRY}.epochs={fitting} {TRAIN}.epochs={fitting}"
        mend = f"{counted(fitting, 'epoch')} would fit (edit {edits})"
    else:
        mend = "Not one epoch would fit"
    return InputError(
        f"{TRY}: {params.epochs} epochs of {MODEL} would take {in_words(minutes)} here, "
        f"{in_words(most)} may be spent: {rows:,} rows of about "
        f"{found.tokens_per_row:.0f} tokens, {found.train_tokens_per_second:,.0f} tokens a second.",
        f"{mend}; or take a smaller base, or go on without {MODEL}.",
    )


def in_words(minutes: float) -> str:
    """Minutes, or seconds where they are less than one."""
    return f"{minutes:,.1f} minutes" if minutes >= 1 else f"{60 * minutes:.2g} seconds"


def _train(params: TrafficLmParams, context: ToolContext) -> ToolResult:
    folder = context.store.root.parent / "checkpoints"
    checkpoints = folder / call_key(TRAIN_TRAFFIC_LM, params, context)
    resumed = checkpoints.exists()
    settings = params.settings().model_dump()
    result = train_models([MODEL, *params.controls], settings, params.masks, context, checkpoints)
    shutil.rmtree(checkpoints, ignore_errors=True)
    with suppress(OSError):  # others may train in this workspace
        folder.rmdir()
    if resumed:  # what was done before is in no clock
        numbers = {**result.numbers, "seconds": {}}
        return result.model_copy(update={"numbers": numbers, "work": 0.0})
    validation = result.numbers["validation_rows"]
    train = round(result.work) - validation
    work = _work(params, train, validation, result.numbers["epochs"])
    return result.model_copy(update={"work": work})


def _estimate_try(params: TryParams, context: ToolContext) -> Estimate:
    memory = _estimate_train(params, context).memory_mb
    return Estimate(rows=MOST_ROWS, minutes=context.rates.minutes(TRY, 1), memory_mb=memory)


def _estimate_train(params: TrafficLmParams, context: ToolContext) -> Estimate:
    from pipelines.models.traffic_lm.cost import base_size, memory_mb

    train, validation = count_on(context, "train"), count_on(context, "validation")
    besides, each = training_minutes(params, train, validation, context.rates)
    return Estimate(
        rows=train + validation,
        minutes=besides + params.epochs * each,
        memory_mb=memory_mb(base_size(params.base), params.settings()),
    )


def _files_of_base(params: TrafficLmParams) -> list[Path]:
    """Another base under the same name makes another model."""
    from pipelines.models.traffic_lm.cost import base_files

    return base_files(params.base, *BASE_FILES)


TRY, TRAIN = "try_traffic_lm", "train_traffic_lm"
TRY_TRAFFIC_LM = ToolSpec(
    name=TRY,
    summary="Tune the traffic language model on a few rows, to see that it works and what the "
    "whole will take",
    params=TryParams,
    risk="train",
    run=_try,
    estimate=_estimate_try,
    needs=("split_rows", "split"),
    reads=_files_of_base,
    version=2,
)
TRAIN_TRAFFIC_LM = ToolSpec(
    name=TRAIN,
    summary="Tune a language model on traffic text so that it names the class of each row",
    params=TrafficLmParams,
    risk="train",
    run=_train,
    estimate=_estimate_train,
    needs=("split_rows", "split"),
    makes=tuple(MODEL_PREFIX + name for name in (MODEL, *CONTROLS)),
    reads=_files_of_base,
    version=2,
)
