"""All trials of a study, on as many processors, or machines, as there are."""

import time
from collections.abc import Sequence
from itertools import count

from pipelines.augment.trial import Scores, Trial, scores_of
from pipelines.executors import SERIAL, Workers, run_all
from pipelines.progress import Progress

# To start processes and what they import takes seconds: less work than this is done here.
WORTH_SECONDS = 10.0


def scores_of_all(
    trials: Sequence[Trial], workers: Workers, progress: Progress, unit: str
) -> list[Scores]:
    """``scores_of`` each trial, in their order: they are the same whoever computes them.

    The first is done here and timed, so that ``auto`` workers are processes where that is worth
    it. Raises what models refuse, and as ``run_all`` does.
    """
    done = count()

    def tell(_: Scores | None = None) -> None:
        progress(unit, next(done), len(trials), unit)

    tell()
    started = time.monotonic()
    first, *others = trials
    found = [scores_of(first)]
    left = (time.monotonic() - started) * len(others)
    if workers.kind == "auto" and left < WORTH_SECONDS:
        workers = SERIAL
    tell()
    return [*found, *run_all(scores_of, others, workers, finished=tell)]
