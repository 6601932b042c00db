"""What can be set of a training of the traffic language model."""

from pydantic import BaseModel, ConfigDict, Field


class TrainSettings(BaseModel):
    """How a language model is trained. The defaults suit LoRA and small models."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(default=8, ge=1)
    """Passes over the examples, fewer if it stops early."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """The highest: it rises to it during the warm-up and falls to a tenth of it."""
    batch_rows: int = Field(default=32, ge=1)
    """Examples a step, over all processes."""
    warmup: float = Field(default=0.05, ge=0, le=1)
    """Share of all steps during which the learning rate rises."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Of matrices; norms, biases and embeddings have none."""
    clip: float = Field(default=1.0, gt=0)
    """The greatest norm of the gradient; a greater one is scaled down to it."""
    patience: int = Field(default=3, ge=1)
    """Passes without a better validation macro-F1 before it stops."""
    micro_tokens: int = Field(default=16384, ge=1)
    """Tokens, padding included, that a process computes at once: what fits into memory."""
    checkpoint_seconds: float = Field(default=60.0, ge=0)
    """Seconds between two checkpoints; there is one after each epoch as well."""
    gradient_checkpointing: bool = False
    """Compute each layer a second time rather than keep what it computed: less memory, slower."""


# Settings that say how it is computed and not what is learned: a resumed training may change them.
HOW = {"micro_tokens", "checkpoint_seconds", "gradient_checkpointing"}
