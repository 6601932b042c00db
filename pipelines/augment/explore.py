"""Whether synthetic rows help: arms by amounts by draws, all on the same draws and test rows.

An arm is a way to get more rows: a generator, or more real rows to compare with. Every model meets
the same real rows without, and with each amount of each arm's rows; only differences on the same
draw count.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from pipelines.augment.exchange import Rate, exchange_rate
from pipelines.augment.findings import ArmFindings, Exploration, ModelFindings
from pipelines.augment.gate.gate import judge
from pipelines.augment.names import REAL
from pipelines.augment.paired import draws_needed, paired_differences
from pipelines.augment.scoring import scores_of_all
from pipelines.augment.settings import FEWEST_DRAWS
from pipelines.augment.trial import ALONE, Made, Study, Treatment, trial_of
from pipelines.augment.verdict import WORTH, Gain, Outcome, verdict_of
from pipelines.errors import InputError
from pipelines.evaluate.few_labels import spread
from pipelines.executors import SERIAL, Workers
from pipelines.progress import Progress


def explore(
    study: Study,
    rows: pa.Table,
    draws: Sequence[np.ndarray],
    test_rows: pa.Table,
    *,
    seed: int,
    progress: Progress,
    absent: np.ndarray | None = None,
    workers: Workers = SERIAL,
) -> Exploration:
    """Make rows from each draw (row numbers of ``rows``) and test every model with them.

    Rows outside a draw play those that could be labelled still. Draw ``i`` has the seed
    ``seed + i`` for everything. ``absent``: which test rows are of families that ``rows`` lack,
    shape (test_rows,). Raises InputError for too few draws, and what arms and models refuse; no
    model is trained before all rows are made.
    """
    if len(draws) < FEWEST_DRAWS:
        raise InputError(
            f"{len(draws)} draws decide nothing: luck alone makes as much of a difference.",
            f"Take {FEWEST_DRAWS} or more.",
        )
    trials = []
    for number, draw in enumerate(draws):
        progress("making rows", number, len(draws), "draws")
        real = rows.take(pa.array(draw))
        rest = rows.take(pa.array(np.setdiff1d(np.arange(rows.num_rows), draw)))
        trials.append(trial_of(study, real, rest, test_rows, seed + number, absent))
    progress("making rows", len(draws), len(draws), "draws")
    scores = scores_of_all(trials, workers, progress, "draws")
    made, unseen = [trial.made for trial in trials], trials[0].absent
    drawn = rows.take(pa.array(np.unique(np.concatenate(draws))))
    added = {one: float(np.mean([s.added[one] for s in scores])) for one in scores[0].added}
    return Exploration(
        metric=study.metric,
        draws=len(draws),
        real_rows=len(draws[0]),
        test_rows=test_rows.num_rows,
        absent_rows=int(unseen.sum()),
        # rows of other families are unlike a draw whether it is shown or not
        arms=arms_of(study, made, drawn, rows, test_rows.filter(pa.array(~unseen)), seed),
        models={
            name: _with_absent(
                _findings([s.models[name] for s in scores], added, len(draws[0]), seed),
                [s.absent[name] for s in scores],
                seed,
            )
            for name in study.models
        },
    )


def arms_of(
    study: Study,
    made: Sequence[Mapping[str, Made]],
    real: pa.Table,
    known: pa.Table,
    unseen: pa.Table | None,
    seed: int,
) -> dict[str, ArmFindings]:
    """What each arm made of all draws, whose rows are ``real``; ``known`` and ``unseen`` as the
    gate takes them."""
    found = {}
    for name in study.arms:
        parts = [one[name] for one in made]
        refused: Counter[str] = Counter()
        for part in parts:
            refused.update(part.refused)
        rows = pa.concat_tables([part.rows.cast(real.schema) for part in parts])
        gate = "no rows"
        if rows.num_rows:
            report = judge(real, rows, masks=study.masks, seed=seed, holdout=unseen, known=known)
            gate = report.verdict
        found[name] = ArmFindings(rows=rows.num_rows / len(made), refused=refused, gate=gate)
    return found


def _findings(
    scores: Sequence[Mapping[Treatment, float]],
    added: Mapping[Treatment, float],
    real_rows: int,
    seed: int,
) -> ModelFindings:
    treatments, table, alone = as_table(scores)
    gains = table - alone[:, None]
    found = paired_differences(gains, seed)
    rates = _rates(treatments, table, alone, added, real_rows, seed)
    outcomes = outcomes_of(treatments, table, added, (found.mean, found.low, found.high), rates)
    made = [place for place, treatment in enumerate(treatments) if treatment.arm != REAL]
    verdict = verdict_of(
        [outcome for outcome in outcomes if outcome.arm != REAL],
        [outcome for outcome in outcomes if outcome.arm == REAL],
        draws=len(scores),
        needed=draws_needed(gains[:, made], found.times, WORTH),
    )
    return ModelFindings(alone=spread(alone.tolist()), outcomes=outcomes, verdict=verdict)


def as_table(
    scores: Sequence[Mapping[Treatment, float]],
) -> tuple[list[Treatment], np.ndarray, np.ndarray]:
    """The treatments that add rows, their scores of shape (draws, treatments), and those of the
    real rows alone of shape (draws,)."""
    treatments = [treatment for treatment in scores[0] if treatment != ALONE]
    table = np.array([[one[treatment] for treatment in treatments] for one in scores])
    return treatments, table, np.array([one[ALONE] for one in scores])


def _with_absent(
    found: ModelFindings, scores: Sequence[Mapping[Treatment, float]], seed: int
) -> ModelFindings:
    """The findings and what each treatment does on absent families; the verdict stays.

    The outcomes are in the order of the treatments.
    """
    if not scores[0]:
        return found
    _, table, alone = as_table(scores)
    gains = paired_differences(table - alone[:, None], seed)
    outcomes = [
        outcome.model_copy(
            update={
                "absent": Gain(
                    score=spread(table[:, place].tolist()),
                    gain=float(gains.mean[place]),
                    ci=(float(gains.low[place]), float(gains.high[place])),
                )
            }
        )
        for place, outcome in enumerate(found.outcomes)
    ]
    update = {"absent": spread(alone.tolist()), "outcomes": outcomes}
    return found.model_copy(update=update)


def outcomes_of(
    treatments: Sequence[Treatment],
    table: np.ndarray,
    added: Mapping[Treatment, float],
    gains: tuple[np.ndarray, np.ndarray, np.ndarray],
    rates: Mapping[tuple[str, bool], Rate | None],
) -> list[Outcome]:
    """What is said of each treatment: scores of shape (draws, treatments), gains with both ends of
    their intervals, of shape (treatments,) each."""
    return [
        Outcome(
            **treatment._asdict(),
            rows=added[treatment],
            score=spread(table[:, place].tolist()),
            gain=float(gains[0][place]),
            ci=(float(gains[1][place]), float(gains[2][place])),
            rate=rates.get((treatment.arm, treatment.screened)),
        )
        for place, treatment in enumerate(treatments)
    ]


def _rates(
    treatments: Sequence[Treatment],
    table: np.ndarray,
    alone: np.ndarray,
    added: Mapping[Treatment, float],
    real_rows: int,
    seed: int,
) -> dict[tuple[str, bool], Rate | None]:
    """What a row of each arm is worth in real ones."""
    places: dict[tuple[str, bool], list[int]] = {}
    for place, treatment in enumerate(treatments):
        places.setdefault((treatment.arm, treatment.screened), []).append(place)

    def rows_of(arm: tuple[str, bool]) -> np.ndarray:
        return np.array([added[treatments[place]] for place in places[arm]])

    real = (REAL, False)
    curve = np.column_stack([alone, table[:, places[real]]])
    sizes = np.concatenate([[real_rows], real_rows + rows_of(real)])
    return {
        arm: exchange_rate(sizes, curve, rows_of(arm), table[:, places[arm]], seed)
        for arm in places
        if arm != real
    }
