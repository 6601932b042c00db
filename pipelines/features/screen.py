"""Proposals that need no trial: they are constant, copies, or cannot be computed."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.datasets.fields import feature_columns
from pipelines.errors import InputError
from pipelines.features.expression import Expression
from pipelines.features.nodes import Column, kind_of


class Fault(NamedTuple):
    """Why a proposal is not tried."""

    verdict: Literal["constant", "copy", "not computed"]
    reason: str


def screened(
    train: pa.Table, validation: pa.Table, proposals: Sequence[Expression], masks: Sequence[str]
) -> list[Fault | None]:
    """The fault of each proposal, None for those to try. No label is looked at."""
    seen: dict[bytes, str] = {}
    for name in feature_columns(train.schema, masks):
        kind = kind_of(train.schema.field(name).type)
        if kind in ("number", "flag"):
            column = Expression(Column(name, kind, ()))
            seen.setdefault(_digest(column.evaluate(train).to_numpy()), str(column))
    return [_fault(train, validation, proposal, masks, seen) for proposal in proposals]


def _fault(
    train: pa.Table,
    validation: pa.Table,
    proposal: Expression,
    masks: Sequence[str],
    seen: dict[bytes, str],
) -> Fault | None:
    """``seen`` is what stands for which values so far; a proposal without a fault joins it."""
    if masked := sorted(set(masks) & set(proposal.groups)):
        return Fault("not computed", f"It reads the group {masked[0]}, which is masked.")
    try:
        values = proposal.evaluate(train).to_numpy()
        proposal.evaluate(validation)
    except InputError as error:
        return Fault("not computed", str(error))
    if np.isnan(values).all():
        return Fault("not computed", "It is unknown on every training row.")
    if (values == values[0]).all():
        return Fault("constant", f"It is {values[0]:g} on every training row.")
    digest = _digest(values)
    if digest in seen:
        return Fault("copy", f"On every training row it equals {seen[digest]}.")
    seen[digest] = str(proposal)
    return None


def _digest(values: npt.NDArray[np.float64]) -> bytes:
    """The same for equal values, minus zero and NaN among them."""
    plain = np.where(np.isnan(values), np.nan, values + 0.0)
    return blake2b(plain.tobytes(), digest_size=16).digest()
