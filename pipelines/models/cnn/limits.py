"""Which specifications are refused for the rows at hand, and how each can be mended."""

from pipelines.errors import InputError
from pipelines.models.cnn.architecture import Architecture
from pipelines.models.cnn.cost import (
    Convolution,
    InputShape,
    memory_mb,
    part_costs,
    sequences,
    total_cost,
)

MOST_PARAMETERS = 50_000_000
MOST_MEMORY_MB = 8_000
# Padding lets a kernel of three places read a sequence of one: a packet alone, a narrow table.
ANY_SEQUENCE = 3


def check_architecture(architecture: Architecture, shape: InputShape, classes: int) -> None:
    """Raises InputError if the network would read nothing of such rows, see past the end of a
    sequence, pool one away, or be too large."""
    found = sequences(architecture, shape)
    if not found:
        raise InputError(
            "The architecture reads neither packets nor payload of these rows.",
            "Give at least one of architecture.packets and architecture.payload blocks.",
        )
    for name, blocks in found.items():
        for number, place in enumerate(blocks, 1):
            _check_place(f"{name} block {number}", place)
    check_size(architecture, shape, classes)


def check_size(architecture: Architecture, shape: InputShape, classes: int) -> None:
    """Raises InputError if the network has too many parameters or needs too much memory."""
    parts = part_costs(architecture, shape, classes)
    cost = total_cost(architecture, shape, classes)
    if cost.parameters > MOST_PARAMETERS:
        most = max(parts, key=lambda name: parts[name].parameters)
        raise InputError(
            f"The network would have {cost.parameters:,} parameters; "
            f"{MOST_PARAMETERS:,} are allowed.",
            f"Most of them are in {most}: make it narrower, its kernel smaller, or leave blocks "
            "out.",
        )
    memory = memory_mb(cost, architecture.batch_size)
    if memory > MOST_MEMORY_MB:
        most = max(parts, key=lambda name: parts[name].floats)
        raise InputError(
            f"The network would take about {memory:,} MB of memory; {MOST_MEMORY_MB:,} are "
            "allowed.",
            f"Most of it is in {most}: make it narrower, take a stride or pooling before it, or a "
            f"smaller batch_size than {architecture.batch_size}.",
        )


def _check_place(where: str, place: Convolution) -> None:
    most = max(place.length, ANY_SEQUENCE)
    if place.block.span > most:
        raise InputError(
            f"{where}: its kernel spans {place.block.span} places, but the sequence has "
            f"{place.length} there.",
            f"Take a kernel and a dilation that span {most} at most, or pool and stride less "
            "before it.",
        )
    if place.kept < 1:
        raise InputError(
            f"{where}: it pools {place.block.pool} places into one, but the sequence has "
            f"{place.convolved} there, so nothing would be left.",
            f"Set its pool to {place.convolved} or less, or pool and stride less before it.",
        )
