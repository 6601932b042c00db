"""What of a base is trained for a task: everything, LoRA, or a prefix of keys and values.

LoRA (Hu et al. 2021, arXiv 2106.09685) is plain: no token is trained and no module saved whole, so
that servers of many adapters take it. Prefix tuning is P-Tuning v2 (Liu et al. 2021, arXiv
2110.07602), TrafficLLM's method.
"""

import warnings
from pathlib import Path

from peft import (
    LoraConfig,
    PeftConfig,
    PeftModel,
    PrefixTuningConfig,
    TaskType,
    get_peft_model,
)
from torch import nn
from transformers import PreTrainedModel

from pipelines.errors import InputError
from pipelines.models.traffic_lm.base import writing
from pipelines.models.traffic_lm.settings import TrafficLmSettings

ADAPTER = "adapter_config.json"


def trainable(
    model: PreTrainedModel, settings: TrafficLmSettings, is_small: bool
) -> PreTrainedModel | PeftModel:
    """The model with exactly those weights trainable that the method trains.

    Adapters draw their first weights from torch's generator. Raises InputError for full tuning of a
    base in 4 bits.
    """
    method = settings.chosen_method(is_small)
    if method == "full":
        if settings.four_bit:
            raise InputError(
                "A base in 4 bits cannot be trained whole.", "Take method=lora with four_bit."
            )
        return model
    if settings.four_bit:
        from peft import prepare_model_for_kbit_training

        model = prepare_model_for_kbit_training(
            model, use_gradient_checkpointing=settings.gradient_checkpointing
        )
    if method == "lora":
        adapter: PeftConfig = LoraConfig(
            task_type=TaskType.CAUSAL_LM,
            r=settings.lora_rank,
            lora_alpha=2 * settings.lora_rank,
            target_modules="all-linear",
        )
    else:
        adapter = PrefixTuningConfig(
            task_type=TaskType.CAUSAL_LM, num_virtual_tokens=settings.prefix_tokens
        )
    return with_adapter(model, adapter)


def with_adapter(model: PreTrainedModel, adapter: PeftConfig) -> PeftModel:
    """The model inside a new adapter."""
    with warnings.catch_warnings():
        # PEFT calls what transformers will rename one day: nothing that a user can mend.
        warnings.simplefilter("ignore", FutureWarning)
        return get_peft_model(model, adapter)


def save_adapter(folder: Path, model: PeftModel, base: str) -> None:
    """Write the adapter as PEFT and servers read it, without the model card that PEFT adds."""
    for adapter in model.peft_config.values():
        adapter.base_model_name_or_path = base
    with writing(folder):
        model.save_pretrained(folder, safe_serialization=True, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)


def load_adapter(folder: Path, model: PreTrainedModel) -> nn.Module:
    """The base with an adapter that ``save_adapter`` wrote."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # as in with_adapter
        return PeftModel.from_pretrained(model, folder, is_trainable=False)
