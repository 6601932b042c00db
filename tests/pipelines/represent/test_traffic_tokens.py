"""Traffic tokens: what is learned of traffic text, and what never is."""

import random

import pytest

from pipelines.represent.traffic_text.symbols import bytes_text
from pipelines.represent.traffic_tokens import SIGNS, is_traffic, learn_tokens, payload_bytes

HELLO = bytes_text(b"\x16\x03\x01\x02\x00\x01")


def flow(number: int, payload: str = HELLO) -> str:
    return f"tcp4 n=3>2 b={number}>900▸74S◂74SA˖21m▸583PA˖1.{number % 10}m{payload}"


def test_all_signs_come_first() -> None:
    tokens = learn_tokens([flow(number) for number in range(50)], 400)
    assert tuple(tokens[: len(SIGNS)]) == SIGNS
    assert len(SIGNS) == 4 + 256
    assert len(set(tokens)) == len(tokens) <= 400


def test_heads_gaps_and_openings_are_learned() -> None:
    tokens = learn_tokens([flow(number) for number in range(50)], 600)
    assert {"▸74S", "◂74SA", "˖21m", "▸583PA", HELLO} <= set(tokens)


def test_no_token_crosses_what_a_packet_is_made_of() -> None:
    """A head, a gap and a payload are learned apart: they mean something each on their own."""
    for token in learn_tokens([flow(number) for number in range(200)], 2000):
        kinds = {
            "head" if sign in "▸◂▪" else "gap" if sign == "˖" else "payload"
            for sign in token
            if sign in SIGNS
        }
        assert len(kinds) == 1, token
        assert sum(sign in "▸◂▪˖" for sign in token) <= 1, token


def test_every_token_holds_a_sign_that_words_do_not_have() -> None:
    words = "Detect n=3 b=12 tcp4 … malware, 74SA? ⟨é⟩ 漢字"
    assert not is_traffic(words)
    for token in learn_tokens([flow(number) for number in range(99)], 800):
        assert is_traffic(token)
        assert token not in words


def test_random_bytes_teach_nothing() -> None:
    rng = random.Random(0)
    texts = [flow(number, bytes_text(rng.randbytes(60))) for number in range(300)]
    learned = [token for token in learn_tokens(texts, 4000) if token not in SIGNS]
    assert [token for token in learned if payload_bytes([token])] == []


def test_replayed_flows_count_once() -> None:
    """One flow a thousand times is no reason to learn what it says."""
    assert learn_tokens([flow(1)] * 1000, 2000) == list(SIGNS)


@pytest.mark.parametrize("size", [300, 500])
def test_the_same_texts_give_the_same_tokens(size: int) -> None:
    texts = [flow(number) for number in range(300)]
    assert learn_tokens(texts, size) == learn_tokens(iter(texts), size)


def test_a_smaller_vocabulary_is_the_beginning_of_a_larger_one() -> None:
    texts = [flow(number) for number in range(300)]
    small = learn_tokens(texts, 290)
    assert learn_tokens(texts, 600)[: len(small)] == small


def test_payload_bytes_are_counted() -> None:
    assert payload_bytes(["▸74S", HELLO, "⠀", "˖21m"]) == 7
