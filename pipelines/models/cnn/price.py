"""What a training of the network will take, told by the shape of its rows; torch stays away."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from pipelines.models.cnn.cost import memory_mb, relative_work, total_cost
from pipelines.models.cnn.inputs import fit_inputs
from pipelines.models.cnn.limits import check_architecture
from pipelines.models.cnn.settings import CnnSettings


@dataclass(frozen=True)
class Price:
    """A row takes ``times`` as long as in the default network; ``memory_mb`` is the peak."""

    times: float
    memory_mb: int


def price_of(settings: CnnSettings, rows: pa.Table, masks: Sequence[str], classes: int) -> Price:
    """The price for such ``rows``, of which a few are enough.

    Raises InputError for an architecture that does not fit them or is too large.
    """
    architecture = settings.resolved()
    shape = fit_inputs(rows, masks, architecture).shape()
    check_architecture(architecture, shape, classes)
    cost = total_cost(architecture, shape, classes)
    return Price(
        times=relative_work(architecture, shape, classes),
        memory_mb=memory_mb(cost, architecture.batch_size),
    )
