"""The signs of traffic text: every byte, flag and time comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.represent.traffic_text.symbols import (
    bytes_text,
    flags_text,
    rounded_time,
    text_bytes,
    text_flags,
    text_time,
    time_text,
)


def test_every_byte_has_a_sign_of_its_own_that_comes_back():
    text = bytes_text(bytes(range(256)))
    assert len(set(text)) == 256
    assert text_bytes(text) == bytes(range(256))


def test_byte_signs_are_printable_braille():
    text = bytes_text(bytes(range(256)))
    assert text.isprintable()
    assert (text[0], text[255]) == ("\u2800", "\u28ff")


@pytest.mark.parametrize("text", ["a", "⠁x", "\u2900", " "])
def test_other_signs_are_no_bytes(text):
    with pytest.raises(ValueError):
        text_bytes(text)


@pytest.mark.parametrize(
    ("flags", "text"),
    [(0, ""), (0x02, "S"), (0x12, "SA"), (0x18, "PA"), (0x11, "FA"), (0xFF, "FSRPAUEC")],
)
def test_flags(flags, text):
    assert flags_text(flags) == text
    assert text_flags(text) == flags


def test_every_flags_byte_comes_back():
    assert [text_flags(flags_text(flags)) for flags in range(256)] == list(range(256))


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (0, "0u"),
        (7, "7u"),
        (99, "99u"),
        (104, "100u"),
        (995, "1m"),
        (1_249, "1.2m"),
        (1_250, "1.3m"),
        (21_400, "21m"),
        (999_999, "1s"),
        (1_840_000_000, "1800s"),
    ],
)
def test_times_keep_two_digits(microseconds, text):
    assert time_text(rounded_time(microseconds)) == text


@given(st.integers(0, 10**15))
def test_rounded_times_come_back_and_are_near(microseconds):
    rounded = rounded_time(microseconds)
    assert text_time(time_text(rounded)) == rounded
    assert rounded_time(rounded) == rounded
    assert abs(rounded - microseconds) <= microseconds * 0.05


@pytest.mark.parametrize("text", ["", "u", "1", "1.23m", "-1u", "1 s", "1h"])
def test_what_is_no_time(text):
    with pytest.raises(ValueError):
        text_time(text)
