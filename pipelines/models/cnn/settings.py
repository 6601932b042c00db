"""What can be set of the convolutional network."""

from pydantic import BaseModel, ConfigDict, Field


class CnnSettings(BaseModel):
    """Shape and training of the network. The defaults suit thousands of flows and 20 rows alike."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: int = Field(default=64, ge=1, le=4096)
    """Feature maps of each convolution."""
    kernel: int = Field(default=3, ge=1, le=31)
    """Packets, bytes or columns that a convolution sees at once."""
    embedding: int = Field(default=16, ge=1, le=1024)
    """Numbers that stand for one token."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    payload_packets: int = Field(default=3, ge=1)
    """Packets whose payload is read, at most as many as the rows keep."""
    payload_bytes: int = Field(default=32, ge=1)
    """Bytes read of each, at most as many as the rows keep."""
    epochs: int = Field(default=30, ge=1)
    """Passes over the training rows, fewer if it stops early."""
    patience: int = Field(default=8, ge=1)
    """Passes without a better validation macro-F1 before it stops."""
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    batch_size: int = Field(default=64, ge=1)
    most_class_weight: float = Field(default=10.0, ge=1)
    """Bound of the weight of a rare class's rows, relative to evenly spread classes."""
