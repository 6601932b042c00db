"""One draw of real rows with the rows of every arm, and what models make of each."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from pipelines.augment.cells import alternating
from pipelines.augment.names import REAL
from pipelines.evaluate.metrics import macro_f1
from pipelines.models.base import labels_of, predict
from pipelines.models.fitting import fit_rows
from pipelines.words import counted

# (real rows, made rows, seed) -> which made rows are good enough, shape (made,)
Screen = Callable[[pa.Table, pa.Table, int], np.ndarray]


@dataclass(frozen=True)
class Made:
    """Rows in the schema of the real ones, classes in alternation.

    ``refused`` counts rows that could not be used, by reason; ``ended`` says why an arm stopped
    before it had made all.
    """

    rows: pa.Table
    refused: Mapping[str, int] = field(default_factory=dict)
    ended: str = ""

    def notes(self) -> list[str]:
        """What a person is told of rows that are not there."""
        return [*filter(None, [self.ended, refusals(self.refused)])]


def refusals(refused: Mapping[str, int]) -> str:
    """Why rows could not be used, the most frequent reason first; nothing if all could."""
    if not refused:
        return ""
    why = ", ".join(f"{reason} {count:,}" for reason, count in Counter(refused).most_common())
    return f"{counted(sum(refused.values()), 'row')} cannot be used: {why}."


class Arm(Protocol):
    """A way to get more rows, ``wanted`` of each class."""

    def __call__(self, real: pa.Table, wanted: Mapping[str, int], seed: int) -> Made: ...


class Treatment(NamedTuple):
    """What is added to the real rows: rows of an arm, so many to each real one."""

    arm: str
    amount: float
    screened: bool = False


# Nothing is added.
ALONE = Treatment("", 0.0)


@dataclass(frozen=True)
class Study:
    """What is compared by what. ``amounts`` are made rows to each real one.

    With a ``screen`` each arm is also tried without the rows that it sorts out. ``features`` are
    derived columns of the models: arms make the columns that they are computed from.
    """

    arms: Mapping[str, Arm]
    models: Sequence[str]
    masks: Sequence[str]
    amounts: Sequence[float]
    screen: Screen | None = None
    metric: Literal["macro_f1", "accuracy"] = "macro_f1"
    features: Sequence[str] = ()


@dataclass(frozen=True)
class Scores:
    """Of one draw: rows added by each treatment, and each model's score under it.

    ``absent``: each model's accuracy on judged rows of absent families; empty where there are none.
    """

    added: dict[Treatment, int]
    models: dict[str, dict[Treatment, float]]
    absent: dict[str, dict[Treatment, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """What one draw compares, or one cut into folds, its rows made: a worker can be sent it.

    ``more``: as many real rows again as the largest amount asks for, for what they do; None where
    there are none. ``absent``: which judging rows are of families that no training row is of,
    shape (judges,).
    """

    study: Study
    real: pa.Table
    made: Mapping[str, Made]
    more: pa.Table | None
    judges: pa.Table
    absent: np.ndarray
    seed: int

    def __str__(self) -> str:
        """Its number, for messages: no cell of its rows."""
        return f"the draw of seed {self.seed}"


def trial_of(
    study: Study,
    real: pa.Table,
    rest: pa.Table | None,
    judges: pa.Table,
    seed: int,
    absent: np.ndarray | None = None,
) -> Trial:
    """Rows of every arm, as many as the largest amount asks for. Raises what arms refuse.

    ``rest``: real rows that could have been drawn too; None for no arm of more real rows.
    """
    labels, counts = np.unique(np.array(labels_of(real), object), return_counts=True)
    most = max(study.amounts)
    wanted = {str(name): round(most * int(n)) for name, n in zip(labels, counts, strict=True)}
    return Trial(
        study=replace(study, arms={}),  # they may hold a connection
        real=real,
        made={name: arm(real, wanted, seed) for name, arm in study.arms.items()},
        more=None if rest is None else more_real(rest, wanted, seed),
        judges=judges,
        absent=np.zeros(judges.num_rows, dtype=bool) if absent is None else absent,
        seed=seed,
    )


def more_real(rest: pa.Table, wanted: Mapping[str, int], seed: int) -> pa.Table:
    """Rows that were not drawn, as many of each class as wanted, or as there are."""
    labels = np.array(labels_of(rest), object)
    random = np.random.default_rng([seed, len(labels)])
    picks = [
        random.permutation(np.flatnonzero(labels == name))[:count]
        for name, count in sorted(wanted.items())
    ]
    order = alternating([len(pick) for pick in picks])
    return rest.take(pa.array(np.concatenate(picks))).take(order)


def training_rows(trial: Trial) -> dict[Treatment, pa.Table]:
    """The training rows of each treatment. Each amount holds all rows of the smaller ones."""
    study, real = trial.study, trial.real
    found = {ALONE: real}

    def add(arm: str, rows: pa.Table, screen: Screen | None = None) -> None:
        kept = np.ones(rows.num_rows, bool) if screen is None else screen(real, rows, trial.seed)
        for amount in study.amounts:
            first = round(amount * real.num_rows)
            added = rows.slice(0, first).filter(pa.array(kept[:first]))
            treatment = Treatment(arm, amount, screen is not None)
            found[treatment] = pa.concat_tables([real, added.cast(real.schema)])

    for name, arm in trial.made.items():
        add(name, arm.rows)
        if study.screen is not None:
            add(name, arm.rows, study.screen)
    if trial.more is not None:
        add(REAL, trial.more)
    return found


def scores_of(trial: Trial) -> Scores:
    """The score of every model under every treatment."""
    study, judges = trial.study, trial.judges
    treated, truth = training_rows(trial), labels_of(judges)
    models: dict[str, dict[Treatment, float]] = {name: {} for name in study.models}
    on_absent: dict[str, dict[Treatment, float]] = {name: {} for name in study.models}
    for name, scores in models.items():
        for treatment, rows in treated.items():
            model = fit_rows(name, rows, study.masks, trial.seed, features=study.features)
            guesses = predict(model, judges)
            right = np.array(truth, object) == guesses
            scores[treatment] = (
                macro_f1(truth, guesses) if study.metric == "macro_f1" else float(right.mean())
            )
            if trial.absent.any():
                on_absent[name][treatment] = float(right[trial.absent].mean())
    real = trial.real.num_rows
    added = {treatment: rows.num_rows - real for treatment, rows in treated.items()}
    return Scores(added, models, on_absent)
