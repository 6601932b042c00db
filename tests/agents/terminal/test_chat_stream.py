"""An answer in pieces: every word arrives once, fits the screen and can do nothing to it."""

from contextlib import contextmanager

import pytest

from agents.planners.rules import RulePlanner
from agents.terminal.chat_stream import Spoken, listen


class Bars:
    """What moves on the terminal, and whether it is away."""

    def __init__(self) -> None:
        self.away = 0

    @contextmanager
    def pause(self):
        self.away += 1
        yield
        self.away -= 1


@pytest.mark.parametrize("width", [20, 40, 80])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_words_arrive_whole_and_wrap(screen, width: int, size: int) -> None:
    view, bars = screen(width), Bars()
    spoken = Spoken(view.console, bars.pause)
    text = "The forest was left out,  for it is slow.\nYou asked for 3 minutes."
    for start in range(0, len(text), size):
        spoken.piece(text[start : start + size])
        assert bars.away == 1
    assert spoken.end() == text
    assert bars.away == 0
    view.check_width()
    assert view.words == " ".join(text.split())
    assert all(line.startswith("  ") for line in view.text.splitlines() if line)


def test_words_are_shown_before_the_answer_ends(screen) -> None:
    view = screen(80)
    spoken = Spoken(view.console, Bars().pause)
    spoken.piece("The forest ")
    assert "The forest" in view.text
    spoken.piece("is")
    assert "is" not in view.words.split()


def test_a_model_cannot_act_on_the_terminal(screen) -> None:
    view = screen(80)
    spoken = Spoken(view.console, Bars().pause)
    for piece in ("[green]APPROVED[/] \x1b", "[2J\x1b]52;c;AA\x07 ", "\u202e", "\x9b2J", " \r fin"):
        spoken.piece(piece)
    spoken.end()
    assert "[green]APPROVED[/]" in view.text
    assert r"\x1b[2J\x1b]52;c;AA\x07" in view.text
    assert not set("\x1b\x07\x9b\u202e\r") & set(view.text)


def test_nothing_said_shows_nothing(screen) -> None:
    view, bars = screen(80), Bars()
    spoken = Spoken(view.console, bars.pause)
    assert spoken.end() == ""
    assert view.text == "" and bars.away == 0
    spoken.piece("one")
    assert spoken.end() == "one"
    assert spoken.end() == ""


def test_a_planner_that_can_stream_is_heard(screen) -> None:
    class Streaming(RulePlanner):
        on_piece = None

    spoken = Spoken(screen(80).console, Bars().pause)
    planner = Streaming()
    listen(planner, spoken)
    assert planner.on_piece == spoken.piece
    listen(RulePlanner(), spoken)  # one that cannot is left as it is
