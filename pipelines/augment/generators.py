"""Generators by name: a new one is a new function and a line here."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from pipelines.augment.cells import Draw, made_by_class
from pipelines.augment.copula import copula
from pipelines.augment.simple import duplicates, jitter, marginals, mixup, smote
from pipelines.errors import InputError

# From the plainest up. They need nothing but the real rows.
GENERATORS: dict[str, Draw] = {
    "duplicates": duplicates,
    "jitter": jitter,
    "smote": smote,
    "mixup": mixup,
    "marginals": marginals,
    "copula": copula,
}


def generate(
    name: str, rows: pa.Table, counts: Mapping[str, int], *, masks: Sequence[str], seed: int
) -> pa.Table:
    """Synthetic rows, ``counts`` of each class, in the schema of the labelled ``rows``.

    Raises InputError for an unknown generator, and as ``made_by_class`` does.
    """
    if name not in GENERATORS:
        raise InputError(
            f"There is no generator {name!r}.", f"Choose from {', '.join(GENERATORS)}."
        )
    return made_by_class(GENERATORS[name], rows, counts, masks, seed)
