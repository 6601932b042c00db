"""Two runs side by side: what differs in their specs, plans, data, scores, findings and cost."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from agents.checkpoints import STAGES, plan_changes
from agents.trail import Cost, Trail, Turn, decision_words


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Difference(Part):
    """A value that is not the same in both; None where a run does not have it."""

    name: str
    a: JsonValue
    b: JsonValue


class PlanDifference(Part):
    plan: str = Field(description="'design/2'")
    changes: list[str] = Field(
        default_factory=list, description="From A's to B's, or to the only one's version before"
    )
    a: list[str] | None = Field(description="Decisions; None if A has no such plan")
    b: list[str] | None


class Score(Part):
    macro_f1: float
    ci: tuple[float, float]


class ScoreDifference(Part):
    model: str
    a: Score | None
    b: Score | None
    difference: float | None = Field(description="B - A")


class FindingsDifference(Part):
    a: list[str] = Field(default_factory=list, description="What only A's reviews found")
    b: list[str] = Field(default_factory=list)


class RunComparison(Part):
    """The JSON document of ``netloop runs diff --json``: only what differs, and what it cost.

    ``equal`` leaves out what clocks say: cost, and findings that speak of time.
    """

    a: str
    b: str
    equal: bool
    status: tuple[str, str]
    spec: list[Difference] = Field(default_factory=list)
    plans: list[PlanDifference] = Field(default_factory=list)
    sizes: list[Difference] = Field(default_factory=list, description="Rows, and rows of a side")
    artifacts: list[Difference] = Field(default_factory=list, description="Content hashes")
    same_test: bool | None = Field(
        default=None, description="Whether both were tested on the same rows; None if not tested"
    )
    scores: list[ScoreDifference] = Field(default_factory=list)
    findings: FindingsDifference
    cost: tuple[Cost, Cost]


def compare_runs(a: Trail, b: Trail) -> RunComparison:
    """All that differs between two runs."""
    status = (a.record["status"], b.record["status"])
    spec = _differences(_flat(a.record["spec"]), _flat(b.record["spec"]))
    sizes, artifacts = _differences(_sizes(a), _sizes(b)), _differences(a.artifacts, b.artifacts)
    plans, scores = _plans(a, b), _scores(a, b)
    return RunComparison(
        a=a.run.id,
        b=b.run.id,
        equal=status[0] == status[1] and not (spec or plans or sizes or artifacts or scores),
        status=status,
        spec=spec,
        plans=plans,
        sizes=sizes,
        artifacts=artifacts,
        same_test=_same_test(a, b),
        scores=scores,
        findings=_findings(a, b),
        cost=(a.cost(), b.cost()),
    )


def _differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    names = [name for name in dict.fromkeys([*a, *b]) if a.get(name) != b.get(name)]
    return [Difference(name=name, a=a.get(name), b=b.get(name)) for name in names]


def _flat(spec: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """``{"data.split.test": 0.5}``"""
    flat: dict[str, Any] = {}
    for name, value in spec.items():
        below = isinstance(value, dict) and value
        flat |= _flat(value, f"{above}{name}.") if below else {f"{above}{name}": value}
    return flat


def _plans(a: Trail, b: Trail) -> list[PlanDifference]:
    places = sorted({*a.turns, *b.turns}, key=_order)
    found = [_plan(place, a.turns.get(place), b.turns.get(place)) for place in places]
    return [plan for plan in found if plan.changes or plan.a != plan.b]


def _order(place: str) -> tuple[int, int]:
    stage, _, version = place.partition("/")
    return [str(name) for name in STAGES].index(stage), int(version)


def _plan(place: str, a: Turn | None, b: Turn | None) -> PlanDifference:
    if a is not None and b is not None:
        changes = plan_changes(a.plan, b.plan)
    else:
        only = a or b
        assert only is not None
        changes = only.plan.changes
    return PlanDifference(plan=place, changes=changes, a=_decided(a), b=_decided(b))


def _decided(turn: Turn | None) -> list[str] | None:
    return None if turn is None else [decision_words(decision) for decision in turn.decisions]


def _sizes(trail: Trail) -> dict[str, int]:
    """Rows that were read, rows after cleaning, rows of each side."""
    numbers = trail.numbers
    sizes = {
        words: numbers[step]["rows"]
        for step, words in (
            ("import_rows", "rows read"),
            ("import_rows#2", "rows read for the test"),
            ("clean_rows", "rows after cleaning"),
        )
        if step in numbers
    }
    sides = numbers.get("split_rows", {}).get("sizes", {})
    return sizes | {f"rows of {side}": size["rows"] for side, size in sides.items()}


def _same_test(a: Trail, b: Trail) -> bool | None:
    if not (a.tested() and b.tested()):
        return None
    return _test_rows(a) == _test_rows(b)


def _test_rows(trail: Trail) -> list[Any]:
    """What the rows of the test depend on; a few-label study draws its own with the seed."""
    made = [trail.artifacts.get(name) for name in ("clean_rows", "test_rows", "split")]
    if "evaluate_models" in trail.numbers:
        return made
    return [*made, trail.record["spec"]["data"]["sample"], trail.record["spec"]["seed"]]


def _scores(a: Trail, b: Trail) -> list[ScoreDifference]:
    first, second = _models(a), _models(b)
    return [
        ScoreDifference(
            model=name, a=x, b=y, difference=y.macro_f1 - x.macro_f1 if x and y else None
        )
        for name in dict.fromkeys([*first, *second])
        if (x := first.get(name)) != (y := second.get(name))
    ]


def _models(trail: Trail) -> dict[str, Score]:
    rows = trail.tested().get("models", [])
    return {row["name"]: Score(macro_f1=row["macro_f1"], ci=row["ci"]) for row in rows}


def _findings(a: Trail, b: Trail) -> FindingsDifference:
    first, second = ([line for found in t.findings.values() for line in found] for t in (a, b))
    return FindingsDifference(
        a=[line for line in first if line not in second],
        b=[line for line in second if line not in first],
    )
