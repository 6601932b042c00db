"""All trials of a study, on as many processors, or machines, as there are."""

import time
from collections.abc import Sequence
from itertools import count

from pipelines.augment.trial import Scores, Trial, scores_of
from pipelines.executors import SERIAL, Workers, run_all
from pipelines.progress import Progress

# To start processes and what they import takes seconds: less work than this is done here.
WORTH_SECONDS = 10.0
# Trials by which that is told: the first may have to import what trains its models.
TIMED = 2


def scores_of_all(
    trials: Sequence[Trial], workers: Workers, progress: Progress, unit: str
) -> list[Scores]:
    """``scores_of`` each trial, in their order: on like machines the same whoever computes them.

    With ``auto`` workers the first trials are done here, and the others by processes if it is worth
    it. Raises what models refuse, and as ``run_all`` does.
    """
    done = count()

    def tell(_: Scores | None = None) -> None:
        progress(unit, next(done), len(trials), unit)

    tell()
    here = trials[:TIMED] if workers.kind == "auto" else ()
    others, found, seconds = trials[len(here) :], [], 0.0
    for trial in here:
        started = time.monotonic()
        found.append(scores_of(trial))
        seconds = time.monotonic() - started
        tell()
    if workers.kind == "auto" and seconds * len(others) < WORTH_SECONDS:
        workers = SERIAL
    return [*found, *run_all(scores_of, others, workers, finished=tell)]
