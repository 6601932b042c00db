"""The model card: what a saved model is, in JSON beside its weights."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.datasets.fields import feature_columns
from pipelines.errors import InputError
from pipelines.features.columns import expression_of
from pipelines.store.files import canonical_json, hash_file, write_atomic

CARD = "card.json"
LIBRARIES = ("numpy", "pyarrow", "safetensors", "scikit-learn", "skops", "torch")


class Card(BaseModel):
    """How a model came to be. It holds no clock reading: the same fit writes the same card.

    ``fields`` are the columns that it reads, ``features`` what the derived ones among them compute.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    classes: list[str]
    masks: list[str]
    seed: int
    settings: dict[str, Any]
    rows: int
    rows_by_class: dict[str, int]
    fields: list[str]
    features: list[str] = []
    files: dict[str, str] = {}
    libraries: dict[str, str] = {}


def new_card(
    name: str,
    rows: pa.Table,
    labels: Sequence[str],
    *,
    masks: Sequence[str],
    seed: int,
    settings: Mapping[str, Any],
) -> Card:
    """The card of a model that is being fitted on ``rows``."""
    counts, fields = Counter(labels), feature_columns(rows.schema, masks)
    derived = [expression_of(rows.schema.field(name)) for name in fields]
    return Card(
        name=name,
        classes=sorted(counts),
        masks=sorted(masks),
        seed=seed,
        settings=dict(settings),
        rows=rows.num_rows,
        rows_by_class=dict(sorted(counts.items())),
        fields=fields,
        features=[text for text in derived if text is not None],
        libraries=_versions(),
    )


@cache
def _versions() -> dict[str, str]:
    """Read once: a study fits hundreds of models."""
    return {library: version(library) for library in LIBRARIES}


def write_card(folder: Path, card: Card) -> None:
    """Write ``card`` last, with the hash of every file that is in ``folder`` by now."""
    files = {path.name: hash_file(path) for path in sorted(folder.iterdir())}
    card = card.model_copy(update={"files": files})
    write_atomic(folder / CARD, canonical_json(card.model_dump()) + "\n")


def read_card(folder: Path, name: str | None = None) -> Card:
    """Read the card of the model in ``folder`` and check its files against their hashes.

    Raises InputError if there is no card, it is not one, it is another model's than ``name``, or a
    file is missing or changed.
    """
    try:
        card = Card.model_validate_json((folder / CARD).read_bytes())
    except (OSError, ValidationError) as error:
        raise _refused(folder, f"{CARD} is missing or is not a model card") from error
    if name not in (None, card.name):
        raise _refused(folder, f"it holds the model {card.name!r}, not {name!r}")
    for file, digest in card.files.items():
        path = folder / file
        if Path(file).name != file or not path.is_file() or hash_file(path) != digest:
            raise _refused(folder, f"{file} is missing or was changed")
    return card


def _refused(folder: Path, reason: str) -> InputError:
    return InputError(
        f"{folder} is not a model folder that can be used: {reason}.",
        "Train the model again, or give the folder as netloop wrote it.",
    )
