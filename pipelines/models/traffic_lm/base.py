"""Base models: any causal language model of Hugging Face's, from a folder, by name, or our own.

Nothing is loaded that could run code: weights are safetensors, ``trust_remote_code`` is never set.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from pipelines.errors import InputError, NetloopError
from pipelines.models.cnn.training import best_device
from pipelines.store.files import PIECE, canonical_json, hash_file, hash_text

# Bars of its own would run across ours, and what it logs is no sentence for a person.
transformers_logging.disable_progress_bar()
transformers_logging.set_verbosity_error()

NANO = "traffic-nano"
# Asking the hub for what is a mistyped folder would take minutes.
HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
NANO_FOLDER = Path(__file__).parent / "nano"
# Weights above this are known by samples: reading all of 15 GB would take longer than loading them.
HASHED_WHOLE = 64 * PIECE
SAMPLES = 64


@dataclass(frozen=True)
class Base:
    """A causal language model with its tokenizer.

    ``name`` is how it was asked for; ``fingerprint`` tells it from every other base.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    fingerprint: str


def load_base(name: str, *, four_bit: bool = False) -> Base:
    """The base in a folder, of a name on the hub (where that can be reached), or ``traffic-nano``.

    On a processor its weights are float32; on a GPU those of a model that was saved in 16 bits are
    bfloat16. ``four_bit`` loads them quantised (NF4, double quantisation), on a GPU only.

    Raises InputError: no such base, no tokenizer with it, a tokenizer of another vocabulary,
    weights that are no safetensors, a model whose code is not part of transformers.
    """
    place = str(NANO_FOLDER) if name == NANO else name
    folder = Path(place)
    if folder.is_dir():
        _check_folder(folder)
    elif not HUB_NAME.fullmatch(name):
        raise InputError(
            f"There is no base in {name}: no such folder.",
            "Give a folder that save_pretrained wrote, owner/name on the hub, or traffic-nano.",
        )
    tokenizer = _loaded(name, AutoTokenizer, place)
    model = _load_model(name, place, four_bit)
    rows = model.get_input_embeddings().weight.shape[0]
    if max(tokenizer.get_vocab().values()) >= rows:
        raise InputError(
            f"The tokenizer of {name} has {len(tokenizer)} tokens, its model only {rows}: "
            "it belongs to another model.",
            "Put the tokenizer beside the weights that it came with.",
        )
    known = fingerprint(folder) if folder.is_dir() else _revision(model)
    return Base(name, model, tokenizer, known)


def save_base(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Write a base into an existing empty folder, so that ``load_base`` and others read it.

    Raises NetloopError if it cannot be written, as on a full disk.
    """
    with writing(folder):
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Raise NetloopError where weights cannot be written inside; safetensors has its own error."""
    try:
        yield
    except SafetensorError as error:
        raise NetloopError(
            f"The weights cannot be written to {folder}: {error}.", "Check space and permissions."
        ) from error


def fingerprint(folder: Path) -> str:
    """What tells the base in a folder from others: its configuration, tokenizer and weights.

    Of large weights the length, the header and samples are read, not everything.
    """
    names = ("config.json", "tokenizer.json")
    small = [[name, hash_file(folder / name)] for name in names if (folder / name).is_file()]
    weights = sorted(folder.glob("*.safetensors"))
    return hash_text(canonical_json([*small, *([path.name, _hash(path)] for path in weights)]))


def check_same(base: Base, fingerprint: str, folder: Path) -> None:
    """Raises InputError if ``base`` is not the one that the model in ``folder`` was tuned on."""
    if base.fingerprint != fingerprint:
        raise InputError(
            f"The model in {folder} was tuned on another base than the {base.name} that is here.",
            "Put back the base that it was tuned on, or tune it again.",
        )


def _hash(path: Path) -> str:
    size = path.stat().st_size
    if size <= HASHED_WHOLE:
        return hash_file(path)
    with path.open("rb") as file:
        pieces = [file.read(PIECE)]
        for number in range(1, SAMPLES + 1):
            file.seek(number * (size - 4096) // SAMPLES)
            pieces.append(file.read(4096))
    return hash_text(canonical_json([size, *(piece.hex() for piece in pieces)]))


def _revision(model: PreTrainedModel) -> str:
    """A model of the hub is known by its commit."""
    return hash_text(str(getattr(model.config, "_commit_hash", None)))


def _check_folder(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise InputError(
            f"{folder} is no base model: it has no config.json.",
            "Give a folder that save_pretrained wrote, a name on the hub, or traffic-nano.",
        )
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model")):
        raise InputError(
            f"The base in {folder} has no tokenizer.",
            "Put tokenizer.json and tokenizer_config.json of the same model into the folder.",
        )
    if not any(folder.glob("*.safetensors")):
        raise InputError(
            f"The base in {folder} has no safetensors weights.",
            "Pickled weights (.bin, .pt) can run code and are not read: convert them with "
            "save_pretrained, on a machine where you trust them.",
        )
    adapted = _json(folder / "config.json").get("auto_map")
    if adapted:
        raise InputError(
            f"The base in {folder} brings code of its own, which is never run.",
            "Take a model that transformers knows (Llama, Qwen, GLM4, ...).",
        )


def _json(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError(f"{path} is not JSON.", "Copy the base anew.") from error
    return content if isinstance(content, dict) else {}


def _load_model(name: str, place: str, four_bit: bool) -> PreTrainedModel:
    gpu = torch.cuda.is_available()
    options: dict[str, Any] = {"use_safetensors": True}
    if four_bit:
        options["quantization_config"] = _four_bits()
        options["device_map"] = {"": best_device()}
    config = _loaded(name, AutoConfig, place)
    saved = getattr(config, "dtype", None)
    halves = saved in (torch.bfloat16, torch.float16, "bfloat16", "float16")
    small = place == str(NANO_FOLDER)
    options["dtype"] = torch.bfloat16 if gpu and halves and not small else torch.float32
    return _loaded(name, AutoModelForCausalLM, place, **options)


def _four_bits() -> Any:
    from importlib.util import find_spec

    from transformers import BitsAndBytesConfig

    if not torch.cuda.is_available() or find_spec("bitsandbytes") is None:
        raise InputError(
            "Bases of 4 bits need a CUDA device and bitsandbytes.",
            "Leave the option out, or: pip install 'netloop[gpu]' on a machine with a GPU.",
        )
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def _loaded(name: str, loader: Any, place: str, **options: Any) -> Any:
    """What a loader of transformers reads, its many errors as one that a person can use."""
    try:
        return loader.from_pretrained(place, trust_remote_code=False, **options)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise NetloopError(
                f"{name} does not fit into the memory of the device.",
                "Take a smaller base, or load it in 4 bits (--four-bit).",
            ) from error
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"The base {name} cannot be loaded: {first.rstrip('.')}.",
            "Give a folder that save_pretrained wrote, a name on the hub, or traffic-nano.",
        ) from error
