"""Trials of a study in processes: the same scores to the bit, and only where it is worth it."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.augment import scoring
from pipelines.augment.choose import choose
from pipelines.augment.explore import explore
from pipelines.augment.generators import generate
from pipelines.augment.scoring import scores_of_all
from pipelines.augment.screen import trusted
from pipelines.augment.trial import Made, Scores, Study, Trial, scores_of, trial_of
from pipelines.errors import InputError
from pipelines.executors import AUTO, SERIAL, Workers
from pipelines.progress import silent

PROCESSES = Workers("processes", 2)


def copies(real: pa.Table, wanted: Mapping[str, int], seed: int) -> Made:
    return Made(generate("smote", real, wanted, masks=(), seed=seed))


def nothing(real: pa.Table, wanted: Mapping[str, int], seed: int) -> Made:
    return Made(real.slice(0, 0))


def screen(real: pa.Table, made: pa.Table, seed: int) -> np.ndarray:
    return trusted(real, made, seed, masks=())


@pytest.mark.slow
def test_processes_find_what_one_finds_to_the_bit(make_related) -> None:
    """Whatever draws random numbers, or would train on threads."""
    models = ("random_forest", "hist_gradient_boosting", "cnn")
    study = Study({"smote": copies}, models, (), (1.0,), screen=screen)
    real, judges = make_related(10, 0, 2.0, 2), make_related(30, 1, 2.0, 2)
    absent = np.arange(judges.num_rows) < 5
    pair = [trial_of(study, real, None, judges, seed, absent) for seed in range(2)]
    assert scores_of_all(pair, PROCESSES, silent, "draws") == [scores_of(one) for one in pair]


def test_studies_hand_on_their_workers(make_related, asked) -> None:
    rows = make_related(20, 0)
    study = Study({"nothing": nothing}, ("majority",), (), (1.0,))
    draws = [np.r_[n : n + 5, 20 + n : 25 + n] for n in range(6)]
    explore(study, rows, draws, rows, seed=0, progress=silent, workers=PROCESSES)
    choose(study, rows, seed=0, progress=silent, workers=PROCESSES)
    assert asked == [PROCESSES, PROCESSES]


def trials(make_related, count: int = 4) -> list[Trial]:
    study = Study({"smote": copies}, ("majority",), (), (1.0,))
    real = make_related(5, 0)
    return [trial_of(study, real, None, make_related(5, 1), seed) for seed in range(count)]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Workers]:
    """Who was given the trials that are not done here to tell what they take."""
    seen: list[Workers] = []

    def run_all(function: Any, tasks: Any, workers: Workers, **_: Any) -> Iterator[Scores]:
        seen.append(workers)
        return map(function, tasks)

    monkeypatch.setattr(scoring, "run_all", run_all)
    return seen


@pytest.mark.parametrize(
    ("workers", "worth", "expected"),
    [
        (AUTO, 1e9, SERIAL),
        (AUTO, 0.0, AUTO),
        (PROCESSES, 1e9, PROCESSES),
        (SERIAL, 0.0, SERIAL),
    ],
)
def test_processes_are_started_where_that_is_worth_it(
    make_related, asked, monkeypatch, workers: Workers, worth: float, expected: Workers
) -> None:
    monkeypatch.setattr(scoring, "WORTH_SECONDS", worth)
    assert len(scores_of_all(trials(make_related), workers, silent, "draws")) == 4
    assert asked == [expected]


def test_what_the_first_trial_imports_is_not_taken_for_its_work(
    make_related, asked, monkeypatch
) -> None:
    """A clock that stands still but for the first trial."""
    times = iter([0.0, 100.0, 100.0, 100.1])
    monkeypatch.setattr(scoring.time, "monotonic", lambda: next(times))
    scores_of_all(trials(make_related), AUTO, silent, "draws")
    assert asked == [SERIAL]


def test_who_names_processes_has_all_trials_done_by_them(make_related, monkeypatch) -> None:
    monkeypatch.setattr(scoring, "scores_of", lambda trial: pytest.fail("done here"))
    monkeypatch.setattr(scoring, "run_all", lambda function, tasks, *_, **__: [*tasks])
    assert len(scores_of_all(trials(make_related), PROCESSES, silent, "draws")) == 4


def test_a_trial_that_kills_its_worker_is_named_without_its_cells(make_related) -> None:
    [trial] = trials(make_related, 1)
    assert str(trial) == f"{trial}" == "the draw of seed 0"


def test_the_scores_are_in_the_order_of_the_trials(make_related) -> None:
    """Trials of other sizes, the largest first: others are done before it."""
    study = Study({}, ("majority",), (), (1.0,))
    sizes = (300, 4, 3, 2)
    each = [
        trial_of(study, make_related(size, 0), make_related(size, 1), make_related(5, 2), 0)
        for size in sizes
    ]
    found = scores_of_all(each, PROCESSES, silent, "draws")
    assert [max(one.added.values()) for one in found] == [2 * size for size in sizes]


def test_one_trial_is_all(make_related) -> None:
    seen: list[tuple[Any, ...]] = []
    scores_of_all(trials(make_related, 1), AUTO, lambda *step: seen.append(step), "draws")
    assert seen == [("draws", 0, 1, "draws"), ("draws", 1, 1, "draws")]


def test_a_trial_goes_without_its_arms(make_related) -> None:
    """An arm may hold a connection, which no process can be sent."""
    [trial] = trials(make_related, 1)
    assert trial.study.arms == {}
    assert trial.made["smote"].rows.num_rows == 10


@pytest.mark.parametrize("workers", [SERIAL, PROCESSES])
def test_what_a_model_refuses_is_raised_as_it_was(make_related, workers: Workers) -> None:
    study = Study({}, ("majority",), (), (1.0,), features=["log(nothing)"])
    real = make_related(5, 0)
    good, bad = trials(make_related, 1)[0], trial_of(study, real, None, real, 0)
    with pytest.raises(InputError, match="nothing"):
        scores_of_all([good, good, bad], workers, silent, "draws")
