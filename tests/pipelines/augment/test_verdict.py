"""What a study says in the end."""

from typing import Any

import pytest

from pipelines.augment.exchange import Rate
from pipelines.augment.verdict import Outcome, Verdict, verdict_of
from pipelines.evaluate.few_labels import spread


def outcome(
    arm: str, gain: float, reach: float, amount: float = 1.0, rows: float = 20, **more: Any
) -> Outcome:
    known = {"screened": False, "rate": None, "score": spread([0.8]), **more}
    ci = (gain - reach, gain + reach)
    return Outcome(arm=arm, amount=amount, rows=rows, gain=gain, ci=ci, **known)


REAL = [outcome("more real rows", 0.04, 0.01), outcome("more real rows", 0.07, 0.01, 8, 160)]


def said(*outcomes: Outcome, real: list[Outcome] = REAL, needed: int = 30) -> Verdict:
    return verdict_of(outcomes, real, draws=20, needed=needed)


def test_a_sure_gain_is_used() -> None:
    half = Rate(rate=0.5, ci=(0.3, 0.7))
    found = said(outcome("good", 0.03, 0.01, 4, rate=half), outcome("wild", 0.05, 0.06))
    assert (found.kind, found.arm, found.amount) == ("use", "good", 4)
    assert (found.gain, found.ci) == (0.03, pytest.approx((0.02, 0.04)))
    assert "+3.0 points [+2.0, +4.0]" in found.words
    assert "One such row is worth 0.50 real ones." in found.words
    assert "Labelling 20 more rows would bring +4.0 points" in found.words
    assert found.words.endswith("; netloop data next says which.")


def test_the_surest_of_several_is_used() -> None:
    found = said(outcome("good", 0.05, 0.04), outcome("sure", 0.04, 0.01))
    assert found.arm == "sure"


def test_an_arm_is_used_as_it_was_compared() -> None:
    found = said(outcome("llm_evolved", 0.03, 0.01, screened=True))
    assert (found.arm, found.screened) == ("llm_evolved", True)
    assert found.words.startswith("Use llm evolved, screened, 1 rows to each real one")


def test_no_benefit_is_an_answer() -> None:
    found = said(outcome("copies", 0.0, 0.002), outcome("bad", -0.1, 0.02))
    assert (found.kind, found.arm) == ("none", None)
    assert (found.gain, found.ci) == (0.0, (-0.002, 0.002))
    assert found.words.startswith("No benefit: no arm gains 1 points or more. Labelling 20 more")


@pytest.mark.parametrize(("needed", "told"), [(30, 30), (6, 21)])
def test_between_both_more_draws_are_needed(needed: int, told: int) -> None:
    found = said(outcome("maybe", 0.02, 0.03), needed=needed)
    assert (found.kind, found.draws_needed) == ("undecided", told)
    assert f"About {told} draws would tell." in found.words


def test_nothing_is_promised_of_labels_that_do_not_help() -> None:
    flat = [outcome("more real rows", 0.0, 0.01)]
    assert "Labelling" not in said(outcome("copies", 0.0, 0.002), real=flat).words
    assert "Labelling" not in said(outcome("copies", 0.0, 0.002), real=[]).words
