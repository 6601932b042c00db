"""What a training will take: sizes against the models themselves, work against counts by hand."""

from pathlib import Path

import pytest
from traffic_lm_bases import traffic_base

from pipelines.errors import InputError
from pipelines.models.traffic_lm.base import NANO, NANO_FOLDER, load_base
from pipelines.models.traffic_lm.cost import (
    NANO_FOLDER as PRICED_FOLDER,
)
from pipelines.models.traffic_lm.cost import (
    Passes,
    Size,
    base_files,
    base_size,
    kept_mb,
    memory_mb,
    passes,
    work,
)
from pipelines.models.traffic_lm.settings import SMALL, TrafficLmSettings


@pytest.mark.parametrize("tied", [True, False])
def test_the_size_of_a_base_is_that_of_its_model(tied: bool, tmp_path: Path) -> None:
    base = traffic_base(tmp_path / "base", tied=tied)
    model = load_base(str(base)).model
    size = base_size(str(base))
    assert size.weights == sum(weight.numel() for weight in model.parameters())
    assert size.computed == sum(w.numel() for w in model.get_decoder().layers.parameters()) + 32
    assert size.hidden == model.config.hidden_size


def test_the_base_of_netloop_is_looked_for_where_it_is_loaded_from() -> None:
    assert PRICED_FOLDER == NANO_FOLDER
    assert TrafficLmSettings().base == NANO


def test_a_base_in_several_files_is_counted_whole(tmp_path: Path) -> None:
    base = traffic_base(tmp_path / "base")
    model = load_base(str(base)).model
    shards = tmp_path / "shards"
    model.save_pretrained(shards, max_shard_size="20KB")
    assert len(base_files(str(shards), ".safetensors")) > 1
    assert base_size(str(shards)) == base_size(str(base))


@pytest.mark.parametrize("name", ["nowhere/at/all", "/nowhere", "no-such-base", "no such base"])
def test_a_base_that_is_not_there_has_no_price(name: str) -> None:
    with pytest.raises(InputError, match="no safetensors weights on this machine"):
        base_size(name)


def test_a_folder_without_weights_has_no_price(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="no safetensors weights"):
        base_size(str(tmp_path))


def test_damaged_weights_are_named(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 20)
    with pytest.raises(InputError, match=r"model\.safetensors cannot be read"):
        base_size(str(tmp_path))


def test_every_pass_over_the_rows_is_counted() -> None:
    """Three epochs of 100 rows watched by 20, scores to calibrate and to choose, three of 120."""
    assert passes(100, 20, 3) == Passes(3 * 100 + 3 * 120, 3 * 20 + 20 + 20)


def test_controls_are_counted_as_what_they_do() -> None:
    alone = passes(100, 20, 3)
    random = passes(100, 20, 3, ["traffic_lm_random"])
    frozen = passes(100, 20, 3, ["traffic_lm_frozen"])
    assert random == alone + alone
    assert frozen == alone + Passes(scored=100 + 20 + 120)


def test_work_grows_with_rows_tokens_and_weights() -> None:
    size, twice = Size(3_000_000, 2_000_000, 192), Size(6_000_000, 4_000_000, 192)
    one = work(Passes(trained=10), size, 126)
    assert one == 10 * 132 * 2
    assert work(Passes(scored=30), size, 126) == one
    assert work(Passes(trained=10), twice, 126) == 2 * one
    assert work(Passes(trained=10), size, 258) == 2 * one


def test_memory_of_tuning_all_weights_and_of_an_adapter() -> None:
    """Four megabytes of weights; beside them three copies and the best, and what layers keep."""
    size = Size(1_000_000, 500_000, 100)
    kept = 3 * 1000 * 5000 * 4 / 1e6
    full, lora = (TrafficLmSettings(method=m, micro_tokens=1000) for m in ("full", "lora"))
    assert memory_mb(size, full) == round(5 * 4 + kept)
    assert memory_mb(size, lora) == round(4 + kept)
    assert kept_mb(size, full, 2_000_000) == 8 + 4
    assert kept_mb(size, lora, 2_000_000) == 8


def test_the_method_of_a_base_is_chosen_by_its_size() -> None:
    large = Size(SMALL + 1, 500_000, 100)
    assert kept_mb(large, TrafficLmSettings(), 0) == 0
    assert kept_mb(large, TrafficLmSettings(method="full"), 0) == 200
