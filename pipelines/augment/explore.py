"""Whether synthetic rows help: arms by amounts by draws, all on the same draws and test rows.

An arm is a way to get more rows: a generator, or more real rows to compare with. Every model meets
the same real rows without, and with each amount of each arm's rows; only differences on the same
draw count.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from pipelines.augment.exchange import Rate, exchange_rate
from pipelines.augment.names import REAL
from pipelines.augment.paired import FEWEST_DRAWS, draws_needed, paired_differences
from pipelines.augment.trial import ALONE, Cell, Study, score_cells, training_rows
from pipelines.augment.verdict import Outcome, Verdict, verdict_of
from pipelines.errors import InputError
from pipelines.evaluate.few_labels import Spread, spread
from pipelines.progress import Progress


class ModelFindings(BaseModel):
    """What all arms do for one model. ``alone``: the score with the real rows alone.

    ``rates``: what a synthetic row of each arm is worth in real ones, None where nobody can tell.
    """

    alone: Spread
    outcomes: list[Outcome]
    rates: dict[str, Rate | None]
    verdict: Verdict


class Exploration(BaseModel):
    """All models. ``real_rows`` are those of one draw."""

    metric: str
    draws: int
    real_rows: int
    test_rows: int
    models: dict[str, ModelFindings]


def explore(
    study: Study,
    rows: pa.Table,
    draws: Sequence[np.ndarray],
    test_rows: pa.Table,
    *,
    seed: int,
    progress: Progress,
) -> Exploration:
    """Make rows from each draw (row numbers of ``rows``) and test every model with them.

    Rows outside a draw play those that could be labelled still. Draw ``i`` has the seed
    ``seed + i`` for everything. Raises InputError for too few draws, and what arms and models
    refuse.
    """
    if len(draws) < FEWEST_DRAWS:
        raise InputError(
            f"{len(draws)} draws decide nothing: luck alone makes as much of a difference.",
            f"Take {FEWEST_DRAWS} or more.",
        )
    scores = []
    for number, draw in enumerate(draws):
        real = rows.take(pa.array(draw))
        rest = rows.take(pa.array(np.setdiff1d(np.arange(rows.num_rows), draw)))
        cells = training_rows(study, real, rest, seed + number)
        told = partial(progress, "draws", number, len(draws), "draws")
        scores.append(score_cells(study, cells, test_rows, seed + number, told))
    progress("draws", len(draws), len(draws), "draws")
    sizes = {cell: float(np.mean([one.rows[cell] for one in scores])) for cell in scores[0].rows}
    return Exploration(
        metric=study.metric,
        draws=len(draws),
        real_rows=len(draws[0]),
        test_rows=test_rows.num_rows,
        models={
            name: _findings(study, [one.models[name] for one in scores], sizes, len(draws[0]), seed)
            for name in study.models
        },
    )


def _findings(
    study: Study,
    scores: Sequence[Mapping[Cell, float]],
    sizes: Mapping[Cell, float],
    first: int,
    seed: int,
) -> ModelFindings:
    cells = [cell for cell in scores[0] if cell != ALONE]
    table = np.array([[one[cell] for cell in cells] for one in scores])
    alone = np.array([one[ALONE] for one in scores])
    gains = table - alone[:, None]
    found = paired_differences(gains, seed)
    outcomes = [
        Outcome(
            arm=arm,
            amount=amount,
            rows=float(sizes[arm, amount]),
            score=spread(table[:, place].tolist()),
            gain=float(found.mean[place]),
            ci=(float(found.low[place]), float(found.high[place])),
        )
        for place, (arm, amount) in enumerate(cells)
    ]
    rates = _rates(cells, table, alone, sizes, first, seed)
    made = [place for place, (arm, _) in enumerate(cells) if arm != REAL]
    needed = draws_needed(gains[:, made], found.times, study.worth)
    return ModelFindings(
        alone=spread(alone.tolist()),
        outcomes=outcomes,
        rates=rates,
        verdict=verdict_of(
            [o for o in outcomes if o.arm != REAL],
            [o for o in outcomes if o.arm == REAL],
            rates,
            draws=len(scores),
            needed=needed,
            worth=study.worth,
        ),
    )


def _rates(
    cells: Sequence[Cell],
    table: np.ndarray,
    alone: np.ndarray,
    sizes: Mapping[Cell, float],
    first: int,
    seed: int,
) -> dict[str, Rate | None]:
    def of(arm: str) -> list[int]:
        return [place for place, cell in enumerate(cells) if cell[0] == arm]

    real = np.column_stack([alone, table[:, of(REAL)]])
    added = np.array([sizes[cells[place]] for place in of(REAL)])
    arms = dict.fromkeys(arm for arm, _ in cells if arm != REAL)
    return {arm: exchange_rate(real, table[:, of(arm)], first, added, seed) for arm in arms}
