"""A link's delay and rate, on a clock that only sleeping moves."""

import pytest

from pipelines.deploy.link import Link, Pace
from pipelines.errors import InputError


class Clock:
    """Time that passes when somebody sleeps, and how long each sleep was."""

    def __init__(self, late: float = 0.0) -> None:
        self.now, self.sleeps, self.late = 1000.0, [], late

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds + self.late

    def pace(self, link: Link) -> Pace:
        return Pace(link, lambda: self.now, self.sleep)


def test_a_message_takes_its_delay_and_its_size_over_the_rate() -> None:
    clock = Clock()
    pace = clock.pace(Link(delay_ms=20, mbit=8))  # a million bytes a second
    pace.begin(answer=True)
    pace.carry(50_000)
    assert clock.now - 1000 == pytest.approx(0.020 + 0.050)


def test_pieces_take_as_long_as_the_whole() -> None:
    clock = Clock()
    pace = clock.pace(Link(delay_ms=0, mbit=8))
    pace.begin(answer=True)
    for _ in range(10):
        pace.carry(1000)
    assert clock.sleeps == pytest.approx([0.001] * 10)


def test_messages_in_a_row_wait_for_one_delay() -> None:
    clock = Clock()
    pace = clock.pace(Link(delay_ms=100, mbit=8))
    for number in range(5):
        pace.begin(answer=number == 0)
        pace.carry(1000)
    assert clock.now - 1000 == pytest.approx(0.1 + 0.005)


def test_a_pause_saves_up_nothing() -> None:
    clock = Clock()
    pace = clock.pace(Link(delay_ms=0, mbit=8))
    pace.begin(answer=True)
    pace.carry(1000)
    clock.now += 60
    before = clock.now
    pace.begin(answer=False)
    pace.carry(1000)
    assert clock.now - before == pytest.approx(0.001)


def test_late_sleeps_are_made_up_for() -> None:
    clock = Clock(late=0.0005)
    pace = clock.pace(Link(delay_ms=0, mbit=8))
    pace.begin(answer=True)
    for _ in range(100):
        pace.carry(1000)
    assert clock.now - 1000 == pytest.approx(0.1, abs=0.001)


@pytest.mark.parametrize(
    "wrong", [{"delay_ms": -1}, {"delay_ms": 1e9}, {"mbit": 0}, {"mbit": float("nan")}], ids=str
)
def test_impossible_links_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="A link cannot have a"):
        Link(**wrong)
