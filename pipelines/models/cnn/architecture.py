"""What the network may look like: a specification that anyone may write and code checks.

It is data and nothing else. Every number has bounds; whether the whole fits the rows and the
machine is said by ``pipelines.models.cnn.limits``.
"""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Norm = Literal["none", "batch", "layer"]
Pooling = Literal["both", "max", "mean", "attention"]
Schedule = Literal["constant", "cosine", "linear"]

MOST_WIDTH = 4096
MOST_BLOCKS = 12


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Block(_Part):
    """A convolution and what follows it: normalisation, ReLU, the sum with its input, pooling,
    dropout."""

    width: int = Field(default=64, ge=1, le=MOST_WIDTH, description="Feature maps")
    kernel: int = Field(default=3, ge=1, le=31, description="Places that are seen at once")
    stride: int = Field(default=1, ge=1, le=8, description="Places from one view to the next")
    dilation: int = Field(default=1, ge=1, le=64, description="Places from one seen to the next")
    norm: Norm = Field(default="none", description="Over the batch's rows, or within each row")
    residual: bool = Field(default=False, description="Add the input; the kernel must be odd")
    pool: int = Field(
        default=1, ge=1, le=16, description="Places of which the largest value goes on; 1 keeps all"
    )
    dropout: float = Field(default=0.0, ge=0, lt=1)

    @property
    def span(self) -> int:
        """Places from the first that the kernel sees to the last, both counted."""
        return self.dilation * (self.kernel - 1) + 1

    @model_validator(mode="after")
    def _has_something_to_normalise(self) -> Self:
        if self.norm == "layer" and self.width < 2:
            raise ValueError(
                "norm 'layer' over one feature map leaves nothing of a sequence of one place: "
                "take a width of two, or norm 'none'"
            )
        return self

    @model_validator(mode="after")
    def _sum_fits(self) -> Self:
        if self.residual and self.kernel % 2 == 0:
            raise ValueError(
                f"a residual block of kernel {self.kernel} makes its sequence longer than its "
                f"input, so they cannot be added: take kernel {self.kernel - 1}"
            )
        return self


class Optimiser(_Part):
    """How weights are learnt. With a schedule the rate falls to a hundredth, once an epoch.

    The schedule has a length of its own, so that a training that is cut short, or repeated for as
    many epochs as were best, goes the same way up to there.
    """

    name: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: float = Field(default=2e-3, gt=0, le=10)
    weight_decay: float = Field(default=1e-2, ge=0, le=10)
    schedule: Schedule = "constant"
    schedule_epochs: int = Field(
        default=30, ge=1, le=10_000, description="Epochs in which the rate falls, if it does"
    )


Blocks = tuple[Block, ...]


class Architecture(_Part):
    """A 1-D convolutional network over rows. The defaults are two plain convolutions of width 64.

    Flows and packets are read by ``packets`` and ``payload`` (one of which may be empty: not read),
    and what protocols say through one layer; records of tables are read by ``columns``.
    """

    embedding: int = Field(default=16, ge=1, le=1024, description="Numbers that stand for a token")
    payload_packets: int = Field(
        default=3, ge=1, le=1024, description="Packets whose payload is read, if rows keep so many"
    )
    payload_bytes: int = Field(
        default=32, ge=1, le=65_536, description="Bytes read of each, if rows keep so many"
    )
    packets: Blocks = Field(
        default=(Block(), Block()),
        max_length=MOST_BLOCKS,
        description="Blocks over the packet sequence",
    )
    payload: Blocks = Field(
        default=(Block(stride=2), Block()),
        max_length=MOST_BLOCKS,
        description="Blocks over the payload's bytes",
    )
    columns: Blocks = Field(
        default=(Block(), Block()),
        min_length=1,
        max_length=MOST_BLOCKS,
        description="Blocks over a table's columns",
    )
    protocols: int = Field(
        default=128, ge=1, le=2 * MOST_WIDTH, description="Width of the layer over what they say"
    )
    pooling: Pooling = Field(default="both", description="What a whole sequence is made into")
    head: int = Field(default=128, ge=1, le=MOST_WIDTH, description="Width of the hidden layer")
    dropout: float = Field(default=0.3, ge=0, lt=1, description="Before both layers of the head")
    optimiser: Optimiser = Optimiser()
    batch_size: int = Field(default=64, ge=1, le=65_536, description="Rows of a step")

    @property
    def normalises_batches(self) -> bool:
        """Whether a block compares the rows of a batch: then one row alone cannot be learnt."""
        blocks = (*self.packets, *self.payload, *self.columns)
        return any(block.norm == "batch" for block in blocks)

    @model_validator(mode="after")
    def _batches_can_be_normalised(self) -> Self:
        if self.normalises_batches and self.batch_size < 2:
            raise ValueError(
                "norm 'batch' needs batches of two rows at least: raise batch_size, or take 'layer'"
            )
        return self

    def widened(self) -> "Architecture":
        """Every block, and the layer over protocols, twice as wide; no more than is allowed."""
        return self.model_copy(
            update={
                "packets": _twice(self.packets),
                "payload": _twice(self.payload),
                "columns": _twice(self.columns),
                "protocols": min(2 * self.protocols, 2 * MOST_WIDTH),
            }
        )


def _twice(blocks: Blocks) -> Blocks:
    return tuple(
        block.model_copy(update={"width": min(2 * block.width, MOST_WIDTH)}) for block in blocks
    )
