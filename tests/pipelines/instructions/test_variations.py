"""Each variation on sentences written here."""

from collections import Counter
from random import Random

import pytest

from pipelines.instructions.variations import (
    VARIATIONS,
    Variation,
    doubled_letter,
    dropped_letter,
    german,
    lower_case,
    many_typos,
    romance,
    slavic,
    swapped_letters,
    telegram,
    topic_first,
    upper_case,
    without_articles,
    without_punctuation,
)

TEXT = "Please check whether the traffic is malicious."
SEEDS = range(60)


def outcomes(variation: Variation, text: str) -> set[str]:
    return {variation(text, Random(seed)) for seed in SEEDS}


def test_two_inner_letters_change_places() -> None:
    assert outcomes(swapped_letters, "a botnet") == {"a btonet", "a bontet", "a botent"}


def test_an_inner_letter_is_dropped() -> None:
    assert outcomes(dropped_letter, "a Virut") == {"a Viut", "a Virt"}


def test_an_inner_letter_is_doubled() -> None:
    assert outcomes(doubled_letter, "a Virut") == {"a Viirut", "a Virrut"}


@pytest.mark.parametrize("slip", [swapped_letters, dropped_letter, doubled_letter])
def test_at_most_one_word_of_five_letters_or_more_is_misspelt(slip: Variation) -> None:
    for text in outcomes(slip, TEXT):
        changed = [
            (old, new) for old, new in zip(TEXT.split(), text.split(), strict=True) if old != new
        ]
        assert len(changed) <= 1  # none where two equal letters change places
        for old, new in changed:
            assert len(old.strip(".")) >= 5
            assert (old[0], old[-1]) == (new[0], new[-1])


@pytest.mark.parametrize("slip", [swapped_letters, dropped_letter, doubled_letter, many_typos])
def test_short_words_are_left_alone(slip: Variation) -> None:
    assert outcomes(slip, "is it a VPN?") == {"is it a VPN?"}


def test_many_typos_are_up_to_three() -> None:
    changes = Counter(
        sum(old != new for old, new in zip(TEXT.split(), text.split(), strict=True))
        for text in outcomes(many_typos, TEXT)
    )
    assert set(changes) <= {1, 2, 3}
    assert changes[3] > 0


def exact(variation: Variation, text: str) -> str:
    return variation(text, Random(0))


def test_case() -> None:
    assert exact(lower_case, "Is TLS on?") == "is tls on?"
    assert exact(upper_case, "Is TLS on?") == "IS TLS ON?"


def test_punctuation_goes_but_not_inside_words() -> None:
    text = "Hi, which site is it: bbc.com, or a TLS 1.3 app? See below!"
    assert exact(without_punctuation, text) == (
        "Hi which site is it bbc.com or a TLS 1.3 app See below"
    )


def test_articles_go() -> None:
    assert exact(without_articles, "The host sent a packet to an address.") == (
        "Host sent packet to address."
    )
    assert exact(without_articles, "is a bot there?") == "is bot there?"


def test_slavic_drops_the_verb_to_be_as_well() -> None:
    assert exact(slavic, "Is the flow of a bot? It is the question.") == "Flow of bot? It question."


def test_telegram_keeps_what_carries_weight() -> None:
    assert exact(telegram, "Please tell me whether the flow is part of a botnet.") == (
        "Tell whether flow part botnet."
    )


def test_romance_puts_adjectives_behind_nouns() -> None:
    assert exact(romance, "Find malicious traffic or an encrypted app.") == (
        "Find traffic malicious or an app encrypted."
    )
    assert exact(romance, "Find the malicious old flow.") == "Find the malicious flow old."


def test_german_puts_verbs_last() -> None:
    assert exact(german, TEXT) == "Please whether the traffic malicious is check."
    assert exact(german, "Tell me which bot is behind it. It is odd.") == (
        "Which bot behind it is tell me. It is odd."
    )
    assert exact(german, "Which website generated the flow?") == "Which website the flow generated?"


def test_german_leaves_versions_and_names_whole() -> None:
    assert exact(german, "Classify TLS 1.3 flows of bbc.com.") == (
        "TLS 1.3 flows of bbc.com classify."
    )


def test_the_topic_comes_first() -> None:
    assert exact(topic_first, "Check the following traffic for bots. Is it bad?") == (
        "The following traffic, check for bots. Is it bad?"
    )
    assert exact(topic_first, "I want to know what this flow is.") == (
        "This flow, I want to know what is."
    )
    assert exact(topic_first, "This flow is bad.") == "This flow is bad."


@pytest.mark.parametrize("variation", VARIATIONS, ids=lambda variation: variation.__name__)
def test_each_is_the_same_for_the_same_seed(variation: Variation) -> None:
    assert variation(TEXT, Random(7)) == variation(TEXT, Random(7))


@pytest.mark.parametrize("variation", VARIATIONS, ids=lambda variation: variation.__name__)
@pytest.mark.parametrize("text", ["a", "Bot", "Is it?", "Hi: this flow"])
def test_each_bears_the_shortest_texts(variation: Variation, text: str) -> None:
    assert variation(text, Random(0)).strip()


def test_all_are_listed_once() -> None:
    assert len(set(VARIATIONS)) == len(VARIATIONS) == 13
