"""The model card of a base that was pre-trained here: from what, how, and how well it foretells."""

from collections.abc import Sequence
from pathlib import Path

from pipelines.models.traffic_lm.base import fingerprint
from pipelines.models.traffic_lm.instruction_tuning import InstructionScore
from pipelines.models.traffic_lm.pretrain import HELD_OUT_EVERY, Pretrained
from pipelines.models.traffic_lm.train_settings import TrainSettings
from pipelines.store.files import hash_file

CARD = "README.md"


def model_card(
    folder: Path,
    found: Pretrained,
    sources: Sequence[str],
    settings: TrainSettings,
    seed: int,
    instructions: InstructionScore,
) -> str:
    """The card of the base that lies in ``folder``; it holds no clock reading."""
    shape = found.model.config
    parameters = sum(weight.numel() for weight in found.model.parameters())
    losses = " ".join(f"{epoch.loss:.3f}" for epoch in found.curve)
    return f"""\
# traffic-nano

A causal language model of traffic text and of instructions about traffic, small enough for a
laptop. It is a base: `netloop tune task` makes a classifier of it.

| | |
|---|---|
| architecture | Llama, {shape.num_hidden_layers} layers of {shape.hidden_size}, \
{shape.num_attention_heads} heads, {parameters:,} parameters, tied embeddings |
| vocabulary | {len(found.tokenizer):,} tokens: bytes and words, traffic tokens, marks, 15 \
tasks, 256 reserved labels |
| data | {", ".join(sources)}: {found.captures} captures, {found.flows:,} different flows without \
labels, identifiers masked; {instructions.rows:,} instructions from netloop's grammar |
| kept apart | every {HELD_OUT_EVERY}th capture, to measure the loss |
| pre-training | next token, {settings.epochs} epochs of {found.tokens:,} tokens, batches of \
{settings.batch_rows} rows, AdamW, highest learning rate {settings.learning_rate:g}, seed {seed} |
| loss | {losses} (nats a token, an epoch each) |
| on captures kept apart | {found.held_out_loss:.3f}; {found.untrained_loss:.3f} before training |
| instruction tuning | on those instructions, then merged; accuracy on them \
{instructions.accuracy:.3f} |
| model.safetensors | SHA-256 {hash_file(folder / "model.safetensors")} |
| fingerprint | {fingerprint(folder)} |

It was made by `netloop tune base`. It has never seen labelled traffic. Payload of encrypted traffic
cannot be foretold, which is most of the loss that is left. What the captures of its training do not
hold it does not know: it is no judge of traffic before it was tuned, and how well it judges then is
what `netloop evaluate` says.
"""
