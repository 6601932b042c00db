"""Tools of the augmentation stage: find out what synthetic rows do, and make some.

Neither reads the test side: arms are compared on validation rows, or within the train side.
"""

import time
from collections.abc import Sequence
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from pipelines.augment.made_rows import MadeRows
from pipelines.augment.names import ARMS, BATCH, ROUNDS, Votes
from pipelines.augment.settings import MOST_AMOUNT, REPEATS, StudySettings, one_of
from pipelines.errors import InputError
from pipelines.executors import WORTH_PROCESSES
from pipelines.store.artifacts import DIGEST
from pipelines.store.files import canonical_json, write_atomic
from tools.absent import LearnParams
from tools.design import device_of
from tools.sides import FEATURES, count_on, features_of, sides_to_choose_by, split_sides
from tools.spec import Estimate, ToolContext, ToolResult, ToolSpec

if TYPE_CHECKING:
    from pipelines.augment.findings import ModelFindings

# More rows than these tell two arms apart no better, and each fit reads them all.
MOST_JUDGED = 5000
# What a study takes, and each process that trains models for it.
STUDY_MB, WORKER_MB = 800, 500
# Of a request for twenty rows of forty columns with ten examples, and its answer.
TOKENS_PER_CALL = 6000


class ExploreParams(LearnParams, StudySettings):
    metric: Literal["macro_f1", "accuracy"] = "macro_f1"

    def fits(self) -> int:
        """How many models are trained."""
        variants = 2 if self.screened else 1
        more_real = 0 if self.within else 1
        treatments = 1 + len(self.amounts) * (more_real + variants * len(self.arms))
        return self.trials() * treatments * len(self.models)

    def trials(self) -> int:
        """How often all arms are compared: draws, or folds at most."""
        from pipelines.models.base import FOLDS

        return REPEATS * FOLDS if self.within else self.draws


class AugmentParams(LearnParams):
    arm: str = Field(description="The generator")
    amount: float = Field(gt=0, le=MOST_AMOUNT, description="Rows to each real one")
    votes: Votes | None = Field(
        default=None, description="Leave out rows whose label so many of three models doubt"
    )
    judged: str | None = Field(
        default=None,
        pattern=f"^{DIGEST.pattern}$",
        description="The rows that a person judged (netloop runs look): what they said of each "
        "holds, whatever models doubt",
    )
    partial: bool = Field(
        default=False,
        description="Use what a language model has written when it fails or its budget ends",
    )

    @field_validator("arm")
    @classmethod
    def known_arm(cls, name: str) -> str:
        """Refuse a generator that does not exist."""
        return one_of(name, ARMS, "generator")


def _explore(params: ExploreParams, context: ToolContext) -> ToolResult:
    from pipelines.augment.arms import arm_of
    from pipelines.augment.choose import choose
    from pipelines.augment.explore import explore
    from pipelines.augment.screen import trusted
    from pipelines.augment.trial import Study
    from pipelines.datasets.absent import is_absent
    from pipelines.datasets.splits import draw_rows

    started = time.monotonic()
    warnings: list[str] = []
    if params.within:
        [train] = split_sides(context, "train")
    else:
        train, judges, warnings = sides_to_choose_by(context)
    # folds need two rows of a class, draws as many as they take
    train = params.learned(train, 2 if params.within else params.per_class, context)
    plain = [name for name in params.arms if name not in ROUNDS]
    names = params.arms if context.author or not plain else plain
    if left := [name for name in params.arms if name not in names]:
        warnings = [*warnings, f"No language model is configured: {', '.join(left)} left out."]
    study = Study(
        arms={
            name: arm_of(name, params.masks, context.author, context.progress, frame=train)
            for name in names
        },
        models=params.models,
        masks=params.masks,
        amounts=params.amounts,
        screen=partial(trusted, masks=params.masks) if params.screened else None,
        metric=params.metric,
        features=features_of(context),
    )
    seed, progress, workers = context.seed, context.progress, context.workers
    if params.within:
        found = choose(study, train, seed=seed, progress=progress, workers=workers)
    else:
        draws = draw_rows(train, params.per_class, params.draws, seed)
        judges = _some(judges, seed)
        absent = is_absent(judges, params.absent)
        found = explore(
            study, train, draws, judges,
            seed=seed, progress=progress, absent=absent, workers=workers,
        )  # fmt: skip
    values = found.model_dump(mode="json")
    digest = context.store.make(
        lambda folder: write_atomic(folder / "exploration.json", canonical_json(values))
    )
    numbers = {
        "metric": params.metric,
        "draws": found.draws,
        "rows_per_draw": found.real_rows,
        "validation_rows": 0 if found.within else found.test_rows,
        "absent_rows": found.absent_rows,
        "models": [_row(name, of_model) for name, of_model in found.models.items()],
        "warnings": warnings,
        "seconds": {"explore_arms": round(time.monotonic() - started, 3)},
        "device": {"explore_arms": device_of(params.models)},
    }
    return ToolResult(artifacts={"exploration": digest}, numbers=numbers, work=params.fits())


def _some(rows: Any, seed: int) -> Any:
    """All rows, or as many by lot as tell arms apart."""
    import numpy as np

    if rows.num_rows <= MOST_JUDGED:
        return rows
    picked = np.random.default_rng(seed).permutation(rows.num_rows)[:MOST_JUDGED]
    return rows.take(np.sort(picked))


def _row(name: str, found: "ModelFindings") -> dict[str, Any]:
    """A model's verdict, for a planner and a report."""
    verdict = found.verdict.model_dump(mode="json")
    return {"name": name, "alone": found.alone.mean, "on_absent": found.on_absent, **verdict}


def _augment(params: AugmentParams, context: ToolContext) -> ToolResult:
    import numpy as np
    import pyarrow as pa

    from pipelines.augment.arms import arm_of
    from pipelines.augment.gate.gate import judge
    from pipelines.augment.judged import Judged
    from pipelines.augment.screen import trusted
    from pipelines.datasets.absent import is_absent
    from pipelines.datasets.keys import text_codes
    from pipelines.store.rows import write_rows

    train, unseen, _ = sides_to_choose_by(context)
    train = params.learned(train, 1, context)
    unseen = unseen.filter(pa.array(~is_absent(unseen, params.absent)))
    classes, labels = text_codes(train, "label")
    counts = np.bincount(labels, minlength=len(classes))
    wanted = {name: round(params.amount * int(n)) for name, n in zip(classes, counts, strict=True)}
    arm = arm_of(params.arm, params.masks, context.author, context.progress, partial=params.partial)
    made = arm(train, wanted, context.seed)
    kept = made.rows
    if params.votes or params.judged:
        judged = Judged.read(context.store.path(params.judged)) if params.judged else None
        fine = trusted(
            train, kept, context.seed, masks=params.masks, votes=params.votes, judged=judged
        )
        kept = kept.filter(pa.array(fine))
    if not kept.num_rows:
        raise InputError(
            f"The generator {params.arm} made no row that can be used. {' '.join(made.notes())}",
            "Go on without synthetic rows, or take another generator.",
        )
    report = judge(train, kept, masks=params.masks, seed=context.seed, holdout=unseen)
    artifacts = {
        "made": context.store.make(lambda folder: write_rows(folder, made.rows)),
        "synthetic": context.store.make(lambda folder: write_rows(folder, kept)),
        "gate": context.store.make(
            lambda folder: write_atomic(
                folder / "gate.json", canonical_json(report.model_dump(mode="json"))
            )
        ),
    }
    told = MadeRows(
        arm=params.arm,
        amount=params.amount,
        rows=kept.num_rows,
        screened_out=made.rows.num_rows - kept.num_rows,
        train_rows=train.num_rows,
        notes=made.notes(),
        gate=report.verdict,
    )
    return ToolResult(artifacts=artifacts, numbers=told.model_dump(), work=float(kept.num_rows))


def _estimate_explore(params: ExploreParams, context: ToolContext) -> Estimate:
    most, classes = max(params.amounts), _classes(context)
    rows = [most * (count if params.within else params.per_class) for count in classes.values()]
    calls = params.trials() * sum(_calls(name, rows) for name in params.arms)
    sides = ("train",) if params.within else ("train", "validation")
    workers = context.workers.chosen(params.trials(), WORTH_PROCESSES)
    processes = workers.size if workers.kind in ("processes", "dask") else 0
    return Estimate(
        rows=count_on(context, *sides),
        minutes=context.rates.minutes("explore_arms", params.fits()),
        memory_mb=STUDY_MB + WORKER_MB * min(processes, params.trials()),
        llm_calls=calls,
        tokens=calls * TOKENS_PER_CALL,
    )


def _estimate_augment(params: AugmentParams, context: ToolContext) -> Estimate:
    rows = [params.amount * count for count in _classes(context).values()]
    calls = _calls(params.arm, rows)
    return Estimate(
        rows=round(sum(rows)),
        minutes=context.rates.minutes("augment_rows", sum(rows)),
        memory_mb=300,
        llm_calls=calls,
        tokens=calls * TOKENS_PER_CALL,
    )


def _calls(arm: str, rows: Sequence[float]) -> int:
    """Requests for so many rows of each class, if every row is good; none for plain generators."""
    return ROUNDS.get(arm, 0) * sum(ceil(count / BATCH) for count in rows)


def _classes(context: ToolContext) -> dict[str, int]:
    """Train rows of each class."""
    from pipelines.datasets.split_manifest import Split

    sizes = Split.load(context.artifact("split")).document.sizes["train"]
    return {name: size.rows for name, size in sizes.items()}


EXPLORE_ARMS = ToolSpec(
    name="explore_arms",
    summary="Compare generators of synthetic rows, amounts and more real rows, over many draws",
    params=ExploreParams,
    risk="train",
    run=_explore,
    estimate=_estimate_explore,
    needs=("split_rows", "split", f"{FEATURES}?"),
    makes=("exploration",),
    version=2,
)
AUGMENT_ROWS = ToolSpec(
    name="augment_rows",
    summary="Make synthetic rows from the train side; models learn from them beside the real ones",
    params=AugmentParams,
    risk="write",
    run=_augment,
    estimate=_estimate_augment,
    needs=("split_rows", "split"),
    makes=("made", "synthetic", "gate"),
    version=3,
)
