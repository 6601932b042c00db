"""How large a network is and what it computes, told by its specification; nothing is built."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.models.cnn.architecture import Architecture, Block, Blocks
from pipelines.represent.tokens import BYTE_TOKENS, PACKET_TOKENS

PREDICT_ROWS = 512
# Of each weight: itself, its gradient, two moments, its best value.
COPIES = 5
MEGABYTE = 1e6

# Of the time that the default network takes for a row: what grows with its operations, what with
# the values it keeps, and what each step costs, however small. Measured on one core with the
# shipped architectures and plain ones of width 8 to 512; the guess is right within a factor of two.
OPERATIONS_SHARE, FLOATS_SHARE, STEP_SHARE = 0.5, 0.35, 0.15


@dataclass(frozen=True)
class InputShape:
    """How long each sequence is that a row gives; 0 for what the rows do not have.

    ``protocols`` counts the scaled columns of what protocols say.
    """

    packets: int = 0
    payload: int = 0
    protocols: int = 0
    columns: int = 0


@dataclass(frozen=True)
class Convolution:
    """A block where it stands: it reads ``inputs`` feature maps of ``length`` places."""

    block: Block
    inputs: int
    length: int

    @property
    def convolved(self) -> int:
        """Places after the convolution, which is padded so that odd kernels keep the length."""
        block = self.block
        padded = self.length + 2 * block.dilation * (block.kernel // 2)
        return (padded - block.span) // block.stride + 1

    @property
    def kept(self) -> int:
        """Places after pooling."""
        return self.convolved // self.block.pool

    @property
    def projects(self) -> bool:
        """Whether the input needs a layer of its own before it can be added to the output."""
        block = self.block
        return block.residual and (self.inputs != block.width or block.stride > 1)


@dataclass(frozen=True)
class Cost:
    """A part of a network: its ``parameters``; of one row the ``operations`` (multiplications with
    a sum), the ``floats`` that training keeps, and the ``largest`` number of them at one place."""

    parameters: int = 0
    operations: int = 0
    floats: int = 0
    largest: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.parameters + other.parameters,
            self.operations + other.operations,
            self.floats + other.floats,
            max(self.largest, other.largest),
        )


def sequences(architecture: Architecture, shape: InputShape) -> dict[str, list[Convolution]]:
    """The blocks over each sequence that is read, by its name."""
    size = architecture.embedding
    if shape.columns:
        return {"columns": _stacked(architecture.columns, size, shape.columns)}
    found = {
        "packets": _stacked(architecture.packets, size * len(PACKET_TOKENS), shape.packets),
        "payload": _stacked(architecture.payload, size, shape.payload),
    }
    return {name: blocks for name, blocks in found.items() if blocks}


def part_costs(architecture: Architecture, shape: InputShape, classes: int) -> dict[str, Cost]:
    """What each part of the network costs: embeddings, blocks, layers, by a name for people."""
    parts: dict[str, Cost] = {}
    joined = 0
    for name, blocks in sequences(architecture, shape).items():
        parts[f"the embedding of {name}"] = _embedding(name, architecture.embedding, shape)
        parts |= {f"{name} block {n}": _block(block) for n, block in enumerate(blocks, 1)}
        width, length = blocks[-1].block.width, blocks[-1].kept
        if architecture.pooling == "attention":
            parts[f"the attention over {name}"] = Cost(width, 2 * width * length, width + length)
        joined += width * (2 if architecture.pooling == "both" else 1)
    if shape.protocols:
        parts["the layer over protocols"] = _layer(shape.protocols, architecture.protocols)
        joined += architecture.protocols
    parts["the head"] = _layer(joined, architecture.head) + _layer(architecture.head, classes)
    return parts


def total_cost(architecture: Architecture, shape: InputShape, classes: int) -> Cost:
    """The whole network; ``parameters`` are exact."""
    return sum(part_costs(architecture, shape, classes).values(), Cost())


def memory_mb(cost: Cost, batch_size: int) -> int:
    """A guess of the most memory that training or predicting takes beyond the process itself.

    Beside the values that a step keeps there are as many gradients; without a step to come, a layer
    holds what it reads, what it makes and a copy.
    """
    training = 2 * batch_size * cost.floats
    predicting = 3 * PREDICT_ROWS * cost.largest
    return round(4 * (COPIES * cost.parameters + max(training, predicting)) / MEGABYTE)


def relative_work(architecture: Architecture, shape: InputShape, classes: int) -> float:
    """How many times the time that the default network needs for such a row."""
    plain = Architecture()
    cost, usual = (total_cost(network, shape, classes) for network in (architecture, plain))
    return (
        OPERATIONS_SHARE * cost.operations / usual.operations
        + FLOATS_SHARE * cost.floats / usual.floats
        + STEP_SHARE * plain.batch_size / architecture.batch_size
    )


def _stacked(blocks: Blocks, inputs: int, length: int) -> list[Convolution]:
    return list(_places(blocks, inputs, length))


def _places(blocks: Blocks, inputs: int, length: int) -> Iterator[Convolution]:
    for block in blocks:
        place = Convolution(block, inputs, length)
        yield place
        inputs, length = block.width, place.kept


def _embedding(name: str, size: int, shape: InputShape) -> Cost:
    """Embeddings and positions; beside the sum there are the tokens and what is added up."""
    if name == "columns":
        made = shape.columns * size
        return Cost(2 * made, made, 3 * made, made)
    if name == "packets":
        made = shape.packets * size * len(PACKET_TOKENS)
        tokens = 2 * shape.packets * len(PACKET_TOKENS)
        return Cost(size * sum(PACKET_TOKENS.values()) + made, 0, tokens + 4 * made, 2 * made)
    made = shape.payload * size
    return Cost(size * BYTE_TOKENS + made, 0, 2 * shape.payload + 3 * made, 2 * made)


def _block(place: Convolution) -> Cost:
    """Convolution, the two numbers of a map that normalisation learns, and the sum's layer."""
    block, taps = place.block, place.inputs * place.block.kernel
    made, kept = block.width * place.convolved, block.width * place.kept
    parameters, operations = block.width * (taps + 1), made * taps
    floats = made * (1 + (block.norm != "none") + 2 * block.residual)
    if block.norm != "none":
        parameters += 2 * block.width
    if place.projects:
        parameters += block.width * (place.inputs + 1)
        operations += made * place.inputs
    floats += kept * (3 * (block.pool > 1) + 2 * (block.dropout > 0))
    largest = max(place.inputs * place.length, made) * (2 if block.residual else 1)
    return Cost(parameters, operations, floats, largest)


def _layer(inputs: int, outputs: int) -> Cost:
    return Cost(outputs * (inputs + 1), outputs * inputs, 3 * (inputs + outputs), inputs + outputs)
