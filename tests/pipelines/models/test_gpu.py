"""Models on a GPU are those of a processor. ``CUDA_VISIBLE_DEVICES=0 pytest`` on this file."""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from traffic_lm_bases import traffic_base

from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.models.base import labels_of, predict
from pipelines.models.registry import load_model, new_model
from pipelines.models.traffic_lm.base import load_base
from pipelines.progress import silent

Rows = Callable[..., pa.Table]

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="CUDA_VISIBLE_DEVICES=0 runs this where a GPU is"
)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return traffic_base(tmp_path / "base")


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A call after which models find a processor only."""
    return lambda: monkeypatch.setattr("torch.cuda.is_available", lambda: False)


@pytest.fixture
def little_memory() -> Iterator[Callable[[int], None]]:
    """A call after which this process may take so many bytes more of the GPU."""
    whole = torch.cuda.get_device_properties(0).total_memory

    def limit(more: int) -> None:
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + more) / whole)

    yield limit
    torch.cuda.set_per_process_memory_fraction(1.0)


def fitted(name: str, rows: pa.Table, **settings: Any) -> Any:
    model = new_model(name, settings)
    model.fit(rows, labels_of(rows), masks=DEFAULT_MASKS, seed=0, validation=None, progress=silent)
    return model


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("cnn", {"epochs": 12}),
        ("traffic_lm", {"method": "full", "epochs": 15, "learning_rate": 0.01}),
        ("traffic_lm", {"method": "lora", "epochs": 15, "learning_rate": 0.02}),
        ("traffic_lm", {"method": "prefix", "epochs": 2}),
    ],
    ids=["cnn", "full", "lora", "prefix"],
)
def test_what_it_learnt_there_it_says_on_a_processor(
    name: str,
    settings: dict[str, Any],
    base: Path,
    flow_rows: Rows,
    tmp_path: Path,
    no_gpu: Callable[[], None],
) -> None:
    if name == "traffic_lm":
        settings = {"base": str(base), "batch_rows": 16, **settings}
    rows, later = flow_rows({"a": 60, "b": 60}), flow_rows({"a": 40, "b": 40}, seed=1)
    model = fitted(name, rows, **settings)
    there = model.predict_proba(later)
    if settings.get("method") != "prefix":  # random weights make little of a prefix
        assert (predict(model, later) == np.array(labels_of(later))).mean() > 0.9
    (tmp_path / "saved").mkdir()
    model.save(tmp_path / "saved")
    no_gpu()
    here = load_model(tmp_path / "saved").predict_proba(later)
    assert np.abs(here - there).max() < 0.02, "bfloat16 keeps eight bits"


@pytest.mark.filterwarnings("ignore:inner dimension")  # of so small a base
def test_a_base_of_four_bits_learns(base: Path, flow_rows: Rows) -> None:
    if find_spec("bitsandbytes") is None:
        pytest.skip("bitsandbytes is not installed")
    plain, small = (load_base(str(base), four_bit=four).model for four in (False, True))
    assert small.get_memory_footprint() < plain.get_memory_footprint()
    rows, later = flow_rows({"a": 60, "b": 60}), flow_rows({"a": 40, "b": 40}, seed=1)
    settings = {"method": "lora", "epochs": 15, "learning_rate": 0.02, "batch_rows": 16}
    model = fitted("traffic_lm", rows, base=str(base), four_bit=True, **settings)
    assert (predict(model, later) == np.array(labels_of(later))).mean() > 0.9


def test_a_batch_that_does_not_fit_is_computed_in_pieces(
    base: Path, flow_rows: Rows, little_memory: Callable[[int], None]
) -> None:
    settings = {"base": str(base), "method": "full", "epochs": 1, "batch_rows": 200}
    rows = flow_rows({"a": 100, "b": 100})
    fitted("traffic_lm", rows, **settings)
    taken = torch.cuda.max_memory_allocated()
    little_memory(taken // 2)
    model = fitted("traffic_lm", rows, **settings)
    assert any("computed in pieces" in line for line in model.warnings)
