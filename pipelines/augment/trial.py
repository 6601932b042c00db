"""One draw of real rows with the rows of every arm, and what models make of each."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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


def made_rows(study: Study, real: pa.Table, seed: int) -> dict[str, Made]:
    """Rows of every arm, as many as the largest amount asks for. Raises what arms refuse."""
    wanted = _wanted(study, real)
    return {name: arm(real, wanted, seed) for name, arm in study.arms.items()}


def training_rows(
    study: Study, real: pa.Table, made: Mapping[str, Made], rest: pa.Table | None, seed: int
) -> dict[Treatment, pa.Table]:
    """The training rows of each treatment. Each amount holds all rows of the smaller ones.

    ``rest``: real rows that could have been drawn too; None for no arm of more real rows.
    """
    found = {ALONE: real}

    def add(arm: str, screened: bool, rows: pa.Table, kept: np.ndarray) -> None:
        for amount in study.amounts:
            first = round(amount * real.num_rows)
            added = rows.slice(0, first).filter(pa.array(kept[:first]))
            treatment = Treatment(arm, amount, screened)
            found[treatment] = pa.concat_tables([real, added.cast(real.schema)])

    for name, arm in made.items():
        add(name, False, arm.rows, np.ones(arm.rows.num_rows, dtype=bool))
        if study.screen is not None:
            add(name, True, arm.rows, study.screen(real, arm.rows, seed))
    if rest is not None:
        rows = more_real(rest, _wanted(study, real), seed)
        add(REAL, False, rows, np.ones(rows.num_rows, dtype=bool))
    return found


def _wanted(study: Study, real: pa.Table) -> dict[str, int]:
    """Rows of each class in the largest amount."""
    labels, counts = np.unique(np.array(labels_of(real), object), return_counts=True)
    most = max(study.amounts)
    return {str(name): round(most * int(n)) for name, n in zip(labels, counts, strict=True)}


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


def scores_of(
    study: Study,
    treated: Mapping[Treatment, pa.Table],
    test_rows: pa.Table,
    seed: int,
    told: Callable[[], None],
    absent: np.ndarray | None = None,
) -> Scores:
    """The score of every model under every treatment; ``told`` hears of each fit.

    ``absent``: which test rows are of families that no training row is of, shape (test_rows,).
    """
    truth = labels_of(test_rows)
    models: dict[str, dict[Treatment, float]] = {name: {} for name in study.models}
    on_absent: dict[str, dict[Treatment, float]] = {name: {} for name in study.models}
    for name, scores in models.items():
        for treatment, rows in treated.items():
            told()
            model = fit_rows(name, rows, study.masks, seed, features=study.features)
            guesses = predict(model, test_rows)
            right = np.array(truth, object) == guesses
            scores[treatment] = (
                macro_f1(truth, guesses) if study.metric == "macro_f1" else float(right.mean())
            )
            if absent is not None and absent.any():
                on_absent[name][treatment] = float(right[absent].mean())
    real = treated[ALONE].num_rows
    added = {treatment: rows.num_rows - real for treatment, rows in treated.items()}
    return Scores(added, models, on_absent)
