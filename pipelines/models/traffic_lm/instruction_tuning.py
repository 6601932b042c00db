"""Instruction tuning: from what a person asks for to the task, TrafficLLM's first tuning stage.

The tuned weights and the added tokens are merged into the base, so that what tunes a task
afterwards is a plain adapter on a plain model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from peft import LoraConfig, PeftModel, TaskType
from pydantic import BaseModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from pipelines.evaluate.metrics import class_scores, confusion_counts, macro_f1, places
from pipelines.instructions.instructions import Instruction
from pipelines.instructions.tasks import NONE, TASKS
from pipelines.models.base import Epoch, stratified_folds
from pipelines.models.cnn.training import best_device, seeded
from pipelines.models.traffic_lm.base import NANO, Base, load_base
from pipelines.models.traffic_lm.batches import Example
from pipelines.models.traffic_lm.methods import with_adapter
from pipelines.models.traffic_lm.prompts import Prompts
from pipelines.models.traffic_lm.score import label_log_probabilities
from pipelines.models.traffic_lm.settings import LEARNING_RATES, SMALL, TrafficLmSettings
from pipelines.models.traffic_lm.train_settings import TrainSettings
from pipelines.models.traffic_lm.training import train
from pipelines.models.traffic_lm.vocabulary import (
    TASK_TOKENS,
    extend,
    is_extended,
    renew_labels,
    task_token,
)
from pipelines.progress import Progress, silent
from pipelines.represent.traffic_text import RowText
from pipelines.represent.traffic_tokens import is_traffic

CODES = tuple(task.code for task in (*TASKS, NONE))
MOST_TOKENS = 256
FLOW_TOKENS = 160
FOLDS = 10  # one of which early stopping watches
# A flow has a hundred tokens to learn, an instruction one.
TRAFFIC_WEIGHT = 0.02


@dataclass(frozen=True)
class InstructionTuned:
    """A base that knows tasks; ``curve`` has macro-F1 on the tenth that early stopping watched."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    curve: list[Epoch]


class InstructionScore(BaseModel):
    """How often the named task is the right one."""

    rows: int
    accuracy: float
    macro_f1: float
    per_task: dict[str, dict[str, float | int]]
    confusion: dict[str, dict[str, int]]
    """Task that is meant -> task that was named -> rows, zeros left out."""


def tune_instructions(
    base: Base,
    instructions: Sequence[Instruction],
    *,
    traffic: Sequence[RowText] = (),
    epochs: int = 6,
    learning_rate: float | None = None,
    batch_rows: int = 32,
    micro_tokens: int | None = None,
    seed: int = 0,
    checkpoints: Path | None = None,
    progress: Progress = silent,
    warn: Callable[[str], object] = lambda line: None,
) -> InstructionTuned:
    """Tune ``base`` in place, whole if it is small, else by LoRA with its new tokens.

    A base without traffic tokens is given those of traffic-nano. ``traffic`` is learned beside the
    instructions, as a base must that has just been given its tokens, and one that is tuned whole so
    as not to forget. Raises as ``train`` does.
    """
    small = base.model.num_parameters() <= SMALL
    if not is_extended(base.tokenizer):
        extend(base.model, base.tokenizer, nano_tokens())
    prompts = Prompts(base.tokenizer)
    folds = stratified_folds(places([each.task for each in instructions], CODES), FOLDS, seed)
    learned = [each for each, fold in zip(instructions, folds, strict=True) if fold]
    watched = [each for each, fold in zip(instructions, folds, strict=True) if not fold]
    examples = [*_asked(prompts, learned), *_flows(prompts, traffic)]
    with seeded(seed):
        model = base.model if small else _with_adapter(base.model, base.tokenizer)
        model.to(best_device())
        curve = train(
            model,
            examples,
            TrainSettings(
                epochs=epochs,
                learning_rate=learning_rate
                or LEARNING_RATES["full" if small else "lora"][not small],
                batch_rows=batch_rows,
                micro_tokens=micro_tokens or TrafficLmSettings().tokens_at_once(),
            ),
            seed=seed,
            what="tuning instructions",
            among=None if traffic else [int(mark) for mark in prompts.marks(*TASK_TOKENS)],
            validate=lambda: _score(model, prompts, watched).macro_f1,
            checkpoints=checkpoints,
            progress=progress,
            warn=warn,
        )
    merged = model.merge_and_unload(safe_merge=True) if isinstance(model, PeftModel) else model
    renew_labels(merged, base.tokenizer)
    return InstructionTuned(merged, base.tokenizer, curve)


def evaluate_instructions(
    base: Base, instructions: Sequence[Instruction], progress: Progress = silent
) -> InstructionScore:
    """The score of a tuned base on instructions whose task is known."""
    base.model.to(best_device()).eval()
    return _score(base.model, Prompts(base.tokenizer), instructions, progress)


def name_tasks(
    base: Base, texts: Sequence[str], progress: Progress = silent
) -> tuple[list[str], np.ndarray]:
    """The most probable task of each instruction, and the scores of all (rows, tasks)."""
    base.model.to(best_device()).eval()
    scores = _log_probabilities(base.model, Prompts(base.tokenizer), texts, progress)
    return [CODES[place] for place in scores.argmax(axis=1)], scores


def nano_tokens() -> list[str]:
    """The traffic tokens of traffic-nano, in their order."""
    vocabulary = load_base(NANO).tokenizer.get_vocab()
    found = sorted((number, token) for token, number in vocabulary.items() if is_traffic(token))
    return [token for _, token in found]


def _with_adapter(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> PeftModel:
    """LoRA on all matrices, and the rows of the tokens that were added."""
    added = sorted(tokenizer.get_added_vocab().values())
    adapter = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=16,
        lora_alpha=32,
        target_modules="all-linear",
        trainable_token_indices=added,
    )
    return with_adapter(model, adapter)


def _asked(prompts: Prompts, instructions: Sequence[Instruction]) -> list[Example]:
    asked = prompts.instructions([each.text for each in instructions], MOST_TOKENS)
    tasks = prompts.marks(*(task_token(each.task) for each in instructions))
    return [
        Example(np.array([*tokens, task], np.int32), 1)
        for tokens, task in zip(asked, tasks, strict=True)
    ]


def _flows(prompts: Prompts, traffic: Sequence[RowText]) -> list[Example]:
    return [
        Example(np.array(tokens, np.int32), len(tokens) - 1, TRAFFIC_WEIGHT)
        for tokens in prompts.whole(traffic, FLOW_TOKENS)
    ]


def _log_probabilities(
    model: PreTrainedModel | PeftModel,
    prompts: Prompts,
    texts: Sequence[str],
    progress: Progress = silent,
) -> np.ndarray:
    labels = [[mark] for mark in prompts.marks(*(task_token(code) for code in CODES))]
    asked = prompts.instructions(texts, MOST_TOKENS)
    return label_log_probabilities(model, asked, labels, progress=progress)


def _score(
    model: PreTrainedModel | PeftModel,
    prompts: Prompts,
    instructions: Sequence[Instruction],
    progress: Progress = silent,
) -> InstructionScore:
    texts = [each.text for each in instructions]
    guesses = _log_probabilities(model, prompts, texts, progress).argmax(axis=1)
    truth = places([each.task for each in instructions], CODES)
    named = np.array(CODES, object)
    confusion = confusion_counts(truth, guesses, len(CODES))
    return InstructionScore(
        rows=len(truth),
        accuracy=float((truth == guesses).mean()),
        macro_f1=macro_f1(named[truth].tolist(), named[guesses]),
        per_task={
            code: score.model_dump(exclude={"fpr_at_recall"})
            for code, score in class_scores(confusion, CODES, dict.fromkeys(CODES)).items()
        },
        confusion={
            CODES[row]: {CODES[c]: int(n) for c, n in enumerate(counts) if n}
            for row, counts in enumerate(confusion)
            if counts.any()
        },
    )
