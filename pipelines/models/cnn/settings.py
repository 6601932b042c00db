"""What can be set of the convolutional network."""

from pydantic import BaseModel, ConfigDict, Field

from pipelines.models.cnn.architecture import Architecture, Block, Optimiser


class CnnSettings(BaseModel):
    """Shape and training of the network. The defaults suit thousands of flows and 20 rows alike.

    ``channels`` to ``payload_bytes``, ``learning_rate`` to ``batch_size`` describe the plain
    network; an ``architecture`` takes the place of them all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: int = Field(default=64, ge=1, le=4096)
    """Feature maps of each convolution."""
    kernel: int = Field(default=3, ge=1, le=31)
    """Packets, bytes or columns that a convolution sees at once."""
    embedding: int = Field(default=16, ge=1, le=1024)
    """Numbers that stand for one token."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    payload_packets: int = Field(default=3, ge=1, le=1024)
    """Packets whose payload is read, at most as many as the rows keep."""
    payload_bytes: int = Field(default=32, ge=1, le=65_536)
    """Bytes read of each, at most as many as the rows keep."""
    epochs: int = Field(default=30, ge=1)
    """Passes over the training rows, fewer if it stops early."""
    patience: int = Field(default=8, ge=1)
    """Passes without a better validation macro-F1 before it stops."""
    learning_rate: float = Field(default=2e-3, gt=0, le=10)
    weight_decay: float = Field(default=1e-2, ge=0, le=10)
    batch_size: int = Field(default=64, ge=1, le=65_536)
    most_class_weight: float = Field(default=10.0, ge=1)
    """Bound of the weight of a rare class's rows, relative to evenly spread classes."""
    architecture: Architecture | None = None
    """The network as a specification; None for two plain convolutions of width ``channels``."""

    def resolved(self) -> Architecture:
        """The architecture that was given, or the plain one that the other settings describe."""
        if self.architecture is not None:
            return self.architecture
        block = Block(width=self.channels, kernel=self.kernel)
        return Architecture(
            embedding=self.embedding,
            payload_packets=self.payload_packets,
            payload_bytes=self.payload_bytes,
            packets=(block, block),
            payload=(block.model_copy(update={"stride": 2}), block),
            columns=(block, block),
            protocols=2 * self.channels,
            dropout=self.dropout,
            optimiser=Optimiser(learning_rate=self.learning_rate, weight_decay=self.weight_decay),
            batch_size=self.batch_size,
        )
