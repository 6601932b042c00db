"""The recipe of traffic-nano: next-token training on unlabelled captures and our instructions.

The shipped weights come from ``netloop tune base``; the model card beside them says from what.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from pipelines.instructions.instructions import Instruction, instruction_set
from pipelines.models.base import Epoch
from pipelines.models.cnn.training import best_device, seeded
from pipelines.models.traffic_lm.batches import Example
from pipelines.models.traffic_lm.likelihood import mean_loss
from pipelines.models.traffic_lm.nano import new_nano
from pipelines.models.traffic_lm.prompts import Prompts
from pipelines.models.traffic_lm.train_settings import TrainSettings
from pipelines.models.traffic_lm.training import train
from pipelines.models.traffic_lm.vocabulary import renew_labels, task_token
from pipelines.progress import Progress, silent
from pipelines.represent.corpus import held_out, traffic_corpus
from pipelines.represent.traffic_text import RowText

FLOW_TOKENS = 160
INSTRUCTION_TOKENS = 128
HELD_OUT_EVERY = 20  # one capture in twenty is kept to measure the loss on
SETTINGS = TrainSettings(
    epochs=4, learning_rate=3e-3, batch_rows=32, weight_decay=0.1, micro_tokens=1024
)


@dataclass(frozen=True)
class Pretrained:
    """A new base. Losses are mean cross entropies a token, in nats, on captures kept apart."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    curve: list[Epoch]
    captures: int
    flows: int
    instructions: int
    tokens: int
    held_out_loss: float
    untrained_loss: float


def pretrain(
    sources: Sequence[Path],
    *,
    settings: TrainSettings = SETTINGS,
    seed: int = 0,
    checkpoints: Path | None = None,
    progress: Progress = silent,
    warn: Callable[[str], object] = lambda line: None,
) -> Pretrained:
    """A base that was trained on the flows of captures, and on instructions with their tasks.

    Equal flows of a capture are learned once, identifiers are masked. Raises as
    ``traffic_corpus`` and ``train`` do.
    """
    corpus = {
        name: _distinct(texts)
        for name, texts in traffic_corpus(sources, progress=progress, warn=warn).items()
    }
    apart = held_out(corpus, HELD_OUT_EVERY)
    learned = [text for name, texts in corpus.items() if name not in apart for text in texts]
    kept = [text for name in sorted(apart) for text in corpus[name]]
    instructions = instruction_set(seed)[::3]  # the rest is for instruction tuning
    with seeded(seed):
        words = [instruction.text for instruction in instructions]
        model, tokenizer = new_nano([str(text) for text in learned], words)
    prompts = Prompts(tokenizer)
    examples = [*_whole(prompts, learned), *_sentences(prompts, instructions)]
    tests = _whole(prompts, kept)
    model.to(best_device())
    untrained = mean_loss(model, tests) if tests else math.nan
    curve = train(
        model,
        examples,
        settings,
        seed=seed,
        what="pre-training",
        checkpoints=checkpoints,
        progress=progress,
        warn=warn,
    )
    renew_labels(model, tokenizer)
    return Pretrained(
        model,
        tokenizer,
        curve,
        captures=len(corpus) - len(apart),
        flows=len(learned),
        instructions=len(instructions),
        tokens=sum(len(example.tokens) for example in examples),
        held_out_loss=mean_loss(model, tests) if tests else math.nan,
        untrained_loss=untrained,
    )


def _distinct(texts: Sequence[RowText]) -> list[RowText]:
    return list({str(text): text for text in texts}.values())


def _whole(prompts: Prompts, texts: Sequence[RowText]) -> list[Example]:
    sequences = prompts.whole(texts, FLOW_TOKENS)
    return [Example(np.array(tokens, np.int32), len(tokens) - 1) for tokens in sequences]


def _sentences(prompts: Prompts, instructions: Sequence[Instruction]) -> list[Example]:
    """Instructions, each with the token of its task behind it, learned as a whole."""
    asked = prompts.instructions([each.text for each in instructions], INSTRUCTION_TOKENS)
    tasks = prompts.marks(*(task_token(each.task) for each in instructions))
    sequences = [[*tokens, task] for tokens, task in zip(asked, tasks, strict=True)]
    return [Example(np.array(tokens, np.int32), len(tokens) - 1) for tokens in sequences]
