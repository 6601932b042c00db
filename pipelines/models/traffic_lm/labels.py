"""The tokens that a traffic language model answers with."""

from collections.abc import Sequence
from typing import Literal

from transformers import PreTrainedTokenizerBase

from pipelines.errors import InputError
from pipelines.models.traffic_lm.vocabulary import ANSWER, LABELS


def label_sequences(
    tokenizer: PreTrainedTokenizerBase, classes: Sequence[str], kind: Literal["tokens", "names"]
) -> list[list[int]]:
    """The answer that stands for each class: one reserved token, or its name and an end token.

    The end token keeps a name apart from another that begins with it. More classes than there are
    reserved tokens are spelled out. Raises InputError where two names have the same tokens.
    """
    if kind == "tokens" and len(classes) <= len(LABELS):
        numbers = tokenizer.convert_tokens_to_ids(list(LABELS[: len(classes)]))
        return [[int(number)] for number in numbers]
    end = tokenizer.eos_token_id
    if end is None:
        end = tokenizer.convert_tokens_to_ids(ANSWER)
    # A class may be called like a mark; it stays words.
    names = [name.replace("<|", "< |") for name in classes]
    spelled = [tokenizer.encode(name, add_special_tokens=False) for name in names]
    if len({tuple(tokens) for tokens in spelled}) < len(classes):
        raise InputError(
            "Two classes have the same tokens in this tokenizer.",
            "Rename one, or let reserved tokens stand for classes (labels=tokens).",
        )
    return [[*tokens, int(end)] for tokens in spelled]
