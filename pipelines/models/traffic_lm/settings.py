"""What can be set of a traffic language model that names classes."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipelines.instructions.tasks import task_of
from pipelines.models.traffic_lm.train_settings import TrainSettings

# Bases of up to so many parameters are tuned whole: that costs no more than an adapter.
SMALL = 50_000_000
# (small bases, larger ones): what small and large matrices bear.
LEARNING_RATES = {"full": (1e-3, 2e-5), "lora": (3e-3, 2e-4), "prefix": (1e-2, 1e-2)}


class TrafficLmSettings(BaseModel):
    """Base, method and training. The defaults suit thousands of flows on two cores."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: str = Field(default="traffic-nano", min_length=1)
    """``traffic-nano``, a folder, or a name on the hub; one that has the traffic tokens."""
    method: Literal["auto", "full", "lora", "prefix"] = "auto"
    """What is trained: everything, low-rank changes of all matrices, or keys and values that stand
    before the prompt (P-Tuning v2). ``auto`` is full for small bases, LoRA for larger ones."""
    task: str = "NONE"
    """The code of the task that the prompt begins with."""
    labels: Literal["tokens", "names"] = "tokens"
    """Whether a reserved token stands for each class, or its name is spelled out."""
    initial: Literal["base", "random"] = "base"
    """The base's weights; or random ones of the same shape, which is a control."""
    most_tokens: int = Field(default=126, ge=8, le=8192)
    """Tokens of a row's text; what says least is left out of a longer one."""
    epochs: int = Field(default=5, ge=1, le=1000)
    """Passes over the training rows, fewer if it stops early."""
    patience: int = Field(default=3, ge=1)
    """Passes without a better validation macro-F1 before it stops."""
    learning_rate: float | None = Field(default=None, gt=0)
    """The highest; by method and size of the base where it is left out."""
    batch_rows: int = Field(default=32, ge=1)
    micro_tokens: int | None = Field(default=None, ge=64)
    """Tokens that are computed at once: what fits into a GPU's memory or a processor's cache."""
    lora_rank: int = Field(default=16, ge=1, le=1024)
    prefix_tokens: int = Field(default=32, ge=1, le=1024)
    most_class_weight: float = Field(default=10.0, ge=1)
    """Bound of the weight of a rare class's rows, relative to evenly spread classes."""
    gradient_checkpointing: bool = False
    """Compute layers twice rather than keep what they computed: less memory, slower."""
    four_bit: bool = False
    """Load the base in 4 bits (on a CUDA device)."""

    @field_validator("task")
    @classmethod
    def known_task(cls, text: str) -> str:
        """The code of the task that was named."""
        return task_of(text).code

    def chosen_method(self, is_small: bool) -> Literal["full", "lora", "prefix"]:
        """The method, with ``auto`` decided."""
        if self.method == "auto":
            return "full" if is_small else "lora"
        return self.method

    def tokens_at_once(self) -> int:
        """``micro_tokens``; by the device where it is left out."""
        from pipelines.models.cnn.training import best_device  # torch, wanted only here

        by_device = {"cuda": 16384, "cpu": 1024}
        return self.micro_tokens or by_device[best_device().type]

    def training(self, is_small: bool) -> TrainSettings:
        """How the one training loop is to train."""
        small, large = LEARNING_RATES[self.chosen_method(is_small)]
        return TrainSettings(
            epochs=self.epochs,
            patience=self.patience,
            learning_rate=self.learning_rate or (small if is_small else large),
            batch_rows=self.batch_rows,
            micro_tokens=self.tokens_at_once(),
            weight_decay=0.05,
            gradient_checkpointing=self.gradient_checkpointing,
        )
