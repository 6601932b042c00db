"""A link's delay and rate."""

import pytest

from pipelines.deploy.link import Link, Pace
from pipelines.errors import InputError


class Sender:
    """Sends at the pace of a link of a million bytes a second, on a clock that sleeping moves.

    ``sleeps`` are the seconds of each sleep; every sleep is ``late`` seconds longer.
    """

    def __init__(self, delay_ms: float = 0.0, late: float = 0.0) -> None:
        self.now, self.sleeps, self.late = 0.0, [], late
        self.pace = Pace(Link(delay_ms=delay_ms, mbit=8), lambda: self.now, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds + self.late

    def send(self, *pieces: int, answer: bool = True) -> None:
        self.pace.begin(answer=answer)
        for size in pieces:
            self.pace.carry(size)


def test_a_message_takes_its_delay_and_its_size_over_the_rate() -> None:
    sender = Sender(delay_ms=20)
    sender.send(50_000)
    assert sender.now == pytest.approx(0.020 + 0.050)


def test_pieces_take_as_long_as_the_whole() -> None:
    sender = Sender()
    sender.send(*[1000] * 10)
    assert sender.sleeps == pytest.approx([0.001] * 10)


def test_messages_in_a_row_wait_for_one_delay() -> None:
    sender = Sender(delay_ms=100)
    for number in range(5):
        sender.send(1000, answer=number == 0)
    assert sender.now == pytest.approx(0.1 + 0.005)


def test_a_pause_saves_up_nothing() -> None:
    sender = Sender()
    sender.send(1000)
    sender.now += 60
    sender.send(1000, answer=False)
    assert sender.now == pytest.approx(60 + 0.002)


def test_late_sleeps_are_made_up_for() -> None:
    sender = Sender(late=0.0005)
    sender.send(*[1000] * 100)
    assert sender.now == pytest.approx(0.1, abs=0.001)


@pytest.mark.parametrize(
    "wrong", [{"delay_ms": -1}, {"delay_ms": 1e9}, {"mbit": 0}, {"mbit": float("nan")}], ids=str
)
def test_impossible_links_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="A link cannot have a"):
        Link(**wrong)
