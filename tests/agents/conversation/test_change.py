"""``parameter=value`` as people type it."""

import pytest

from agents.checkpoints import Plan, Step
from agents.conversation.change import parse_change, places_of, typed_value
from pipelines.errors import InputError

SPLIT = Step(tool="split_rows", params={"by": "time", "test": 0.5})
AUDIT = Step(tool="audit_shortcuts", params={"masks": []})


def plan(*steps: Step) -> Plan:
    return Plan(stage="cleaning", planner="rules", summary="So.", steps=list(steps))


@pytest.mark.parametrize(
    ("line", "place", "value"),
    [
        ("test=0.3", "split_rows.test", 0.3),
        (" test = 30 % ", "split_rows.test", 0.3),
        ("test=12.5percent", "split_rows.test", 0.125),
        ("split_rows.by=flow", "split_rows.by", "flow"),
        ("masks=[ttl, ports]", "audit_shortcuts.masks", ["ttl", "ports"]),
        ("by=a=b", "split_rows.by", "a=b"),
        ("by=", "split_rows.by", None),
    ],
)
def test_a_change(line: str, place: str, value: object) -> None:
    assert parse_change(line, plan(SPLIT, AUDIT)) == (place, value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("test", "is not parameter=value"),
        ("=1", "is not parameter=value"),
        ("tset=1", "Parameters: by, test, masks"),
        ("test=[1", "cannot be read"),
    ],
)
def test_what_is_no_change(line: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_change(line, plan(SPLIT, AUDIT))


def test_a_parameter_of_two_steps_is_named_with_its_step() -> None:
    twice = plan(SPLIT, SPLIT)
    assert places_of(twice) == [
        "split_rows.by", "split_rows.test", "split_rows#2.by", "split_rows#2.test"
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"split_rows\.test, split_rows#2\.test"):
        parse_change("test=1", twice)
    assert parse_change("split_rows#2.test=1", twice) == ("split_rows#2.test", 1)


def test_a_plan_without_steps_has_nothing_to_change() -> None:
    with pytest.raises(InputError, match="Parameters: none"):
        parse_change("test=1", plan())


def test_a_name_with_a_percent_sign_stays_a_name() -> None:
    assert typed_value("top 5%") == "top 5%"
