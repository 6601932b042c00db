"""What a training will take, told by the files of its base; nothing is loaded.

Every weight that a token meets costs it two operations forward and four backward (Kaplan et al.
2020, arXiv 2001.08361, section 2.1), so that a token that is only scored is a third of one that is
trained on.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from pipelines.errors import InputError
from pipelines.models.traffic_lm.settings import SMALL, TrafficLmSettings

NANO_FOLDER = Path(__file__).parent / "nano"
EMBEDDINGS = ("embed", "lm_head", "wte", "wpe")
# Beside a row's text: what the task's prompts begin with, the mark before the answer, the answer.
MARKS = 6
MEGABYTE = 1e6


@dataclass(frozen=True)
class Size:
    """A base: its ``weights``, those that are ``computed`` with for every token (no embeddings),
    and the numbers that stand for a token (``hidden``)."""

    weights: int
    computed: int
    hidden: int


@dataclass(frozen=True)
class Passes:
    """How often a row is trained on and how often it is only scored, over all rows and epochs."""

    trained: int = 0
    scored: int = 0

    def __add__(self, other: "Passes") -> "Passes":
        return Passes(self.trained + other.trained, self.scored + other.scored)

    @property
    def like_trained(self) -> float:
        """All of them, in passes of training."""
        return self.trained + self.scored / 3


def base_size(name: str) -> Size:
    """The size of the base in a folder, of a name that the hub has been asked for before, or of
    ``traffic-nano``.

    Raises InputError if it is not on this machine or has no safetensors weights.
    """
    shapes = [shape for file in base_files(name, ".safetensors") for shape in _shapes(file)]
    counts = [(tensor, math.prod(shape)) for tensor, shape in shapes]
    computed = [n for tensor, n in counts if not any(part in tensor for part in EMBEDDINGS)]
    if not computed:
        raise InputError(
            f"The base {name} has no safetensors weights on this machine.",
            "Give a folder that save_pretrained wrote, or traffic-nano.",
        )
    hidden = min((shape[-1] for tensor, shape in shapes if "embed" in tensor), default=1)
    return Size(sum(n for _, n in counts), sum(computed), hidden)


def base_files(name: str, *endings: str) -> list[Path]:
    """The files of a base that have one of these ``endings``; none if it is not on this machine."""
    folder = NANO_FOLDER if name == TrafficLmSettings().base else Path(name)
    if not folder.is_dir():
        folder = _cached(name)
    return sorted(path for ending in endings for path in folder.glob(f"*{ending}"))


def passes(train: int, validation: int, epochs: int, controls: Sequence[str] = ()) -> Passes:
    """What it takes to choose a model and to fit it again on the rows of both sides.

    Each of ``epochs`` of the first fit looks at validation; it may stop early, so this is the most.
    """
    tuned = Passes(
        trained=epochs * (2 * train + validation), scored=epochs * validation + 2 * validation
    )
    each = {
        "traffic_lm_random": tuned,
        "traffic_lm_frozen": Passes(scored=2 * (train + validation)),
    }
    return sum((each[name] for name in controls), tuned)


def work(count: Passes, size: Size, most_tokens: int) -> float:
    """Millions of weights times tokens of training, if every row's text has ``most_tokens``."""
    return count.like_trained * (most_tokens + MARKS) * size.computed / 1e6


def memory_mb(size: Size, settings: TrafficLmSettings) -> int:
    """A guess of the most memory that a training takes beyond the process itself.

    Of each weight that is trained there are also its gradient, two moments and its best value. The
    layers keep about three numbers a token for every number that a token is multiplied with.
    """
    copies = 5 if settings.chosen_method(size.weights <= SMALL) == "full" else 1
    kept = 3 * settings.tokens_at_once() * size.computed / size.hidden
    return round(4 * (copies * size.weights + kept) / MEGABYTE)


def kept_mb(size: Size, settings: TrafficLmSettings, tokens: float) -> int:
    """What a training over ``tokens`` holds beyond a small one: them, and its best weights."""
    whole = settings.chosen_method(size.weights <= SMALL) == "full"
    return round(4 * (tokens + (size.weights if whole else 0)) / MEGABYTE)


def _shapes(file: Path) -> Iterator[tuple[str, list[int]]]:
    try:
        with safe_open(file, framework="np") as tensors:
            for name in tensors.keys():  # noqa: SIM118  (it is no mapping)
                yield name, tensors.get_slice(name).get_shape()
    except (OSError, SafetensorError) as error:
        raise InputError(f"{file} cannot be read.", "Copy the base anew.") from error


def _cached(name: str) -> Path:
    """Where the hub's client keeps the base of that name; a folder that is not there if nowhere."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError):
        return Path(name)
