"""Shapes of texts: coarse enough not to name them, fine enough to tell random from spoken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.protocols.shape import digit_share, entropy


@pytest.mark.parametrize(
    ("text", "bits"), [("", 0.0), ("aaaa", 0.0), ("abab", 1.0), ("abcd", 2.0), ("aab", 1.0)]
)
def test_entropy_in_halves_of_a_bit(text, bits):
    assert entropy(text) == bits


@given(st.text(max_size=300))
def test_entropies_take_few_values(text):
    assert 0 <= entropy(text) <= 8.5
    assert (2 * entropy(text)).is_integer()


def test_a_random_name_has_more_than_a_spoken_one():
    assert entropy("xk4q9zvb7h2mw8") > entropy("www.google.com")


@pytest.mark.parametrize(("text", "share"), [("", 0.0), ("a1", 0.5), ("12", 1.0), ("abcdef7", 0.1)])
def test_share_of_digits_in_tenths(text, share):
    assert digit_share(text) == share
