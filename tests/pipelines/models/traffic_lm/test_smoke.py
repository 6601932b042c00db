"""A try on a few rows: what it measures is what was there, and its figures add up."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from traffic_lm_bases import traffic_base

from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.errors import InputError
from pipelines.models.traffic_lm.base import load_base
from pipelines.models.traffic_lm.cost import Passes
from pipelines.models.traffic_lm.settings import TrafficLmSettings
from pipelines.models.traffic_lm.smoke import Smoke, few_of_each, peak_memory, smoke
from pipelines.represent.traffic_text import row_texts

Rows = Callable[..., pa.Table]


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


def tried(base: Path, rows: pa.Table, most_rows: int = 64, **settings: Any) -> Smoke:
    chosen = TrafficLmSettings(base=str(base), **settings)
    return smoke(chosen, rows, masks=DEFAULT_MASKS, seed=0, most_rows=most_rows)


def test_a_few_rows_of_every_class(base: Path, table_rows: Rows) -> None:
    seen: list[tuple[str, float]] = []
    found = smoke(
        TrafficLmSettings(base=str(base), epochs=500),
        table_rows({"a": 200, "b": 90, "c": 10}),
        masks=DEFAULT_MASKS,
        seed=0,
        most_rows=64,
        progress=lambda what, done, total, unit: seen.append((what, done)),
    )
    assert (found.rows, found.classes) == (64, 3)
    assert found.steps == 6, "two batches of 32 rows, three times, whatever the epochs"
    assert len(seen) == found.steps
    assert len(found.loss) == 2
    assert found.memory_mb >= 0
    assert found.device == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize(("method", "labels"), [("lora", "tokens"), ("full", "names")])
def test_other_methods_and_answers_are_tried(
    base: Path, table_rows: Rows, method: str, labels: str
) -> None:
    found = tried(base, table_rows({"a": 9, "b": 9}), method=method, labels=labels)
    assert (found.rows, found.steps) == (18, 3)
    assert found.train_tokens_per_second > 0 and found.score_tokens_per_second > 0


def test_tokens_are_those_of_the_rows_and_of_the_marks(base: Path, table_rows: Rows) -> None:
    """Three before the text (beginning, task, mark), a mark and the answer behind it."""
    rows = table_rows({"a": 30, "b": 30})
    encode = load_base(str(base)).tokenizer.encode
    texts = [encode(str(text), add_special_tokens=False) for text in row_texts(rows, DEFAULT_MASKS)]
    assert tried(base, rows).tokens_per_row == pytest.approx(np.mean([*map(len, texts)]) + 5)


def test_long_texts_are_as_short_as_they_are_trained_on(base: Path, table_rows: Rows) -> None:
    found = tried(base, table_rows({"a": 30, "b": 30}), most_tokens=20)
    assert 5 < found.tokens_per_row <= 20 + 5


def test_the_same_rows_are_tried_with_the_same_seed(base: Path, table_rows: Rows) -> None:
    rows = table_rows({"a": 50, "b": 50})
    one, two = tried(base, rows, 16), tried(base, rows, 16)
    assert one.loss == two.loss
    assert one.tokens_per_row == two.tokens_per_row


def test_what_a_tuning_refuses_a_try_refuses(base: Path, table_rows: Rows) -> None:
    with pytest.raises(InputError, match="only the class 'a'"):
        tried(base, table_rows({"a": 5}))


def test_seconds_of_passes() -> None:
    found = Smoke(
        rows=2,
        classes=2,
        steps=3,
        loss=[1.0, 0.5],
        tokens_per_row=100,
        train_tokens_per_second=1000,
        score_tokens_per_second=5000,
        memory_mb=1,
        device="cpu",
    )
    assert found.seconds(Passes(trained=30, scored=100)) == pytest.approx(3 + 2)


@pytest.mark.parametrize(
    ("counts", "most", "taken"),
    [
        ({"a": 100, "b": 100}, 64, {"a": 32, "b": 32}),
        ({"a": 100, "b": 3}, 64, {"a": 61, "b": 3}),
        ({"a": 100, "b": 100, "c": 1}, 7, {"a": 3, "b": 3, "c": 1}),
        ({"a": 2, "b": 1}, 64, {"a": 2, "b": 1}),
        ({"a": 9, "b": 9}, 1, {"a": 1, "b": 1}),
    ],
)
def test_few_rows_are_spread_over_the_classes(
    counts: dict[str, int], most: int, taken: dict[str, int]
) -> None:
    labels = [name for name, count in counts.items() for _ in range(count)]
    places = few_of_each(labels, most, seed=3)
    assert (np.diff(places) > 0).all()
    found = Counter(labels[place] for place in places)
    spread = {name: abs(found[name] - count) for name, count in taken.items()}
    assert sum(found.values()) == sum(taken.values())
    assert max(spread.values()) <= (1 if most == 7 else 0)


def test_more_classes_than_rows() -> None:
    labels = [f"class-{number}" for number in range(100)]
    assert len(few_of_each(labels, 8, seed=0)) == 8
    assert list(few_of_each(labels, 8, seed=0)) != list(few_of_each(labels, 8, seed=1))


@pytest.mark.skipif(torch.cuda.is_available(), reason="memory of the GPU is counted there")
def test_memory_that_is_taken_for_a_moment_is_seen() -> None:
    with peak_memory() as memory:
        taken = np.ones(25_000_000)
        time.sleep(0.2)  # several looks
        del taken
    assert memory.bytes > 150e6
