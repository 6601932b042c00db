"""The answers that stand for classes."""

import pytest
from traffic_lm_bases import plain_base

from pipelines.errors import InputError
from pipelines.models.traffic_lm.labels import label_sequences
from pipelines.models.traffic_lm.vocabulary import LABELS, extend
from pipelines.represent.traffic_tokens import SIGNS

MODEL, TOKENIZER = plain_base()
extend(MODEL, TOKENIZER, SIGNS)


def test_one_reserved_token_a_class() -> None:
    found = label_sequences(TOKENIZER, ["a", "b b", "b"], "tokens")
    assert found == [[TOKENIZER.convert_tokens_to_ids(LABELS[place])] for place in range(3)]


def test_names_end_so_that_none_begins_another() -> None:
    classes = ["Neris", "Neris 2", "Neris 22", "World of Warcraft"]
    found = label_sequences(TOKENIZER, classes, "names")
    end = TOKENIZER.eos_token_id
    assert all(sequence[-1] == end and end not in sequence[:-1] for sequence in found)
    assert [TOKENIZER.decode(sequence[:-1]) for sequence in found] == classes
    for one in found:
        assert not any(one != other and other[: len(one)] == one for other in found)


def test_more_classes_than_reserved_tokens_are_spelled_out() -> None:
    classes = [f"class {number}" for number in range(len(LABELS) + 1)]
    assert len(label_sequences(TOKENIZER, classes[:-1], "tokens")[0]) == 1
    assert len(label_sequences(TOKENIZER, classes, "tokens")[0]) > 1


def test_a_class_named_like_a_mark_is_words() -> None:
    (sequence,) = label_sequences(TOKENIZER, ["<|end|>"], "names")
    assert len(sequence) > 2
    assert sequence.count(TOKENIZER.eos_token_id) == 1


def test_a_tokenizer_without_an_end_token() -> None:
    model, tokenizer = plain_base()
    extend(model, tokenizer, SIGNS)
    tokenizer.eos_token = None
    found = label_sequences(tokenizer, ["a", "ab"], "names")
    assert found[0][-1] == found[1][-1] == tokenizer.convert_tokens_to_ids("<|answer|>")


def test_two_classes_of_equal_tokens_are_refused() -> None:
    with pytest.raises(InputError, match="same tokens"):
        label_sequences(TOKENIZER, ["<|x", "< |x"], "names")
