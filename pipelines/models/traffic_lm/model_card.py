"""Model cards of bases that were made here: from what, how, and how well they foretell."""

from collections.abc import Sequence
from pathlib import Path

from pipelines.models.traffic_lm.base import fingerprint
from pipelines.models.traffic_lm.instruction_tuning import InstructionTuned
from pipelines.models.traffic_lm.pretrain import HELD_OUT_EVERY, Pretrained
from pipelines.models.traffic_lm.train_settings import TrainSettings
from pipelines.store.files import hash_file, write_atomic

CARD = "README.md"


def write_pretraining_card(
    folder: Path, made: Pretrained, sources: Sequence[str], settings: TrainSettings, seed: int
) -> None:
    """Describe a base that was pre-trained and saved in ``folder``; no clock reading is in it."""
    shape = made.model.config
    weights = sum(weight.numel() for weight in made.model.parameters())
    rows = {
        "architecture": f"Llama, {shape.num_hidden_layers} layers of {shape.hidden_size}, "
        f"{shape.num_attention_heads} heads, {weights:,} weights, tied embeddings",
        "vocabulary": f"{len(made.tokenizer):,} tokens: bytes and words, traffic tokens, marks, "
        "15 tasks, 256 reserved labels",
        "data": f"{', '.join(sources)}: {made.captures} captures, {made.flows:,} different flows, "
        f"no labels, identifiers masked; {made.instructions:,} instructions of netloop's grammar",
        "kept apart": f"every {HELD_OUT_EVERY}th capture, to measure the loss on",
        "training": f"next token; {settings.epochs} epochs of {made.tokens:,} tokens, batches of "
        f"{settings.batch_rows} rows, AdamW, highest learning rate {settings.learning_rate:g}, "
        f"seed {seed}",
        "loss of each epoch": " ".join(f"{epoch.loss:.3f}" for epoch in made.curve)
        + " nats a token",
        "loss on captures kept apart": f"{made.held_out_loss:.3f}; "
        f"{made.untrained_loss:.3f} before training",
    }
    text = f"# A base for traffic\n\n{ABOUT}\n## Pre-training\n\n{_table(rows)}{_files(folder)}"
    write_atomic(folder / CARD, text)


def write_tuning_card(
    folder: Path, base: Path, tuned: InstructionTuned, instructions: int, flows: int, seed: int
) -> None:
    """Describe a base that was tuned to instructions, below what the card of its ``base`` says."""
    card = base / CARD
    before = card.read_text().partition("\n## Files\n")[0] if card.is_file() else "# A base\n"
    best = max(tuned.curve, key=lambda epoch: epoch.validation_macro_f1 or 0)
    rows = {
        "data": f"{instructions:,} instructions, {flows:,} flows learned beside them",
        "training": f"the task's token behind each instruction; best of {len(tuned.curve)} epochs, "
        f"seed {seed}",
        "macro-F1 on a tenth that was not learned": f"{best.validation_macro_f1:.3f}",
    }
    write_atomic(
        folder / CARD, f"{before}\n## Instruction tuning\n\n{_table(rows)}{_files(folder)}"
    )


ABOUT = """\
A causal language model of traffic text and of instructions about traffic. It is a base: `netloop
tune task` makes a classifier of it. It has seen no labelled traffic, and what its captures do not
hold it does not know. Encrypted payload cannot be foretold: most of the loss that is left is that.
"""


def _table(rows: dict[str, str]) -> str:
    lines = [f"| {name} | {words} |" for name, words in rows.items()]
    return "\n".join(["| | |", "|---|---|", *lines]) + "\n"


def _files(folder: Path) -> str:
    rows = {path.name: hash_file(path) for path in sorted(folder.glob("*.safetensors"))}
    return f"\n## Files\n\n{_table({**rows, 'fingerprint': fingerprint(folder)})}"
