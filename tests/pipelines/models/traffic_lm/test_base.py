"""Bases of every kind that people bring, and folders that are none."""

import json
import resource
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from traffic_lm_bases import plain_base, tiny_llama, traffic_base
from transformers import AutoModelForCausalLM, Glm4Config, LlamaConfig, Qwen2Config, Qwen3Config

from pipelines.errors import InputError, NetloopError
from pipelines.models.traffic_lm.base import check_same, fingerprint, load_base, save_base

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 128,
}
# DeepSeek's distils are Qwen2 and Llama models with other weights.
FAMILIES: dict[str, Any] = {
    "llama": LlamaConfig,
    "qwen2": Qwen2Config,
    "qwen3": Qwen3Config,
    "glm4": Glm4Config,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return traffic_base(tmp_path / "base")


@pytest.mark.parametrize("family", FAMILIES)
def test_families_load_by_what_their_configuration_says(family: str, tmp_path: Path) -> None:
    _, tokenizer = plain_base()
    options = {"pad_token_id": 0, "head_dim": 16, **SIZES}
    config = FAMILIES[family](vocab_size=len(tokenizer) + 16, **options)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    save_base(tmp_path, model, tokenizer)
    base = load_base(str(tmp_path))
    assert base.model.config.model_type == family
    tokens = torch.tensor([base.tokenizer.encode("Is this malware?")])
    with torch.no_grad():
        assert torch.equal(base.model(tokens).logits, model.eval()(tokens).logits)


def test_a_base_in_16_bits_computes_in_32_on_a_processor(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    halves = {name: value.bfloat16() for name, value in weights.items()}
    save_file(halves, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text()) | {"dtype": "bfloat16"}
    (folder / "config.json").write_text(json.dumps(config))
    assert {weight.dtype for weight in load_base(str(folder)).model.parameters()} == {torch.float32}


def refusal(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_base(str(folder))
    assert caught.value.mend
    return caught.value.message


def test_no_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    assert "has no tokenizer" in refusal(folder)


def test_a_tokenizer_of_another_vocabulary(folder: Path, tmp_path: Path) -> None:
    smaller = tiny_llama(100)
    smaller.save_pretrained(tmp_path / "other")
    shutil.copy(tmp_path / "other" / "model.safetensors", folder)
    shutil.copy(tmp_path / "other" / "config.json", folder)
    assert "belongs to another model" in refusal(folder)


def test_pickled_weights_are_not_read(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    assert "no safetensors weights" in refusal(folder)


def test_code_of_its_own_is_never_run(folder: Path) -> None:
    (folder / "evil.py").write_text("raise SystemExit(7)")
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModelForCausalLM": "evil.Evil", "AutoConfig": "evil.Config"}
    (folder / "config.json").write_text(json.dumps(config))
    assert "code of its own" in refusal(folder)


def test_no_configuration(folder: Path) -> None:
    (folder / "config.json").unlink()
    assert "no config.json" in refusal(folder)


def test_a_configuration_that_is_no_json(folder: Path) -> None:
    (folder / "config.json").write_text("{")
    assert "is not JSON" in refusal(folder)


def test_an_architecture_that_does_not_exist(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "none-such", "architectures": ["X"]}')
    assert "cannot be loaded" in refusal(folder)


def test_weights_that_are_cut_off(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    assert "cannot be loaded" in refusal(folder)


def test_a_folder_that_is_not_there_is_not_asked_for_on_the_hub(tmp_path: Path) -> None:
    for name in (tmp_path / "nothing", Path("nothing"), Path("../nothing")):
        assert "no such folder" in refusal(name)


def test_no_space_for_the_weights(tmp_path: Path) -> None:
    """A limit on the size of files is what a full disk is; Python ignores the signal of it."""
    model, tokenizer = plain_base()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises((NetloopError, OSError)):
            save_base(tmp_path, model, tokenizer)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_four_bits_need_a_gpu(folder: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(InputError, match="CUDA"):
        load_base(str(folder), four_bit=True)


def test_the_fingerprint_follows_every_part(folder: Path) -> None:
    first = fingerprint(folder)
    assert load_base(str(folder)).fingerprint == first
    (folder / "notes.txt").write_text("anything")
    assert fingerprint(folder) == first
    for name in ("config.json", "tokenizer.json"):
        before = (folder / name).read_text()
        (folder / name).write_text(before + "\n")
        assert fingerprint(folder) != first
        (folder / name).write_text(before)
    path = folder / "model.safetensors"
    changed = bytearray(path.read_bytes())
    changed[-1] ^= 1
    path.write_bytes(bytes(changed))
    assert fingerprint(folder) != first


def test_large_weights_are_known_by_samples(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.models.traffic_lm.base.HASHED_WHOLE", 1000)
    first = fingerprint(folder)
    path = folder / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert fingerprint(folder) != first
    path.write_bytes(content + b"\0")
    assert fingerprint(folder) != first
    path.write_bytes(content)
    assert fingerprint(folder) == first


def test_another_base_is_told_from_the_right_one(folder: Path, tmp_path: Path) -> None:
    base = load_base(str(folder))
    check_same(base, base.fingerprint, tmp_path)
    with pytest.raises(InputError, match="another base"):
        check_same(base, "0" * 64, tmp_path)
