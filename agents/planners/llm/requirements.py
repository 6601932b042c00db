"""Requirements by a language model: the goal is read, at most three questions are asked."""

from typing import Any

from agents.checkpoints import Plan, Question, Step
from agents.planners.base import Evidence
from agents.planners.llm.proposals import MOST_QUESTIONS, AskedOfPerson, RequirementsSaid
from agents.planners.rules.plans import param, summarised, with_params
from agents.spec import LEVELS
from agents.wall.names import Names
from pipelines.errors import InputError

schema = RequirementsSaid
RECORD, IMPORT = "record_requirements", "import_rows"
NO_TASK = "none"
FIELDS = ("metric", "target", "max_false_positive_rate", "max_latency_ms", "runs_on", "llm_sees")
KINDS = {
    "target": "share",
    "max_false_positive_rate": "share",
    "benign": "names",
    "max_latency_ms": "quantity",
    "runs_on": "word",
}


def default(plan: Plan, evidence: Evidence, names: Names) -> dict[str, Any]:
    """What the rules would record."""
    recorded = {name: param(plan, RECORD, name) for name in FIELDS}
    task = param(plan, RECORD, "task")  # rules do not read it: it is for the model to name
    return {
        **recorded,
        **({"task": task} if task else {}),
        "benign": [names.safe("class", name) for name in param(plan, RECORD, "benign") or []],
        "granularity": param(plan, IMPORT, "granularity"),
        "questions": [question.id.split(".")[1] for question in plan.questions],
    }


def amended(plan: Plan, said: RequirementsSaid, evidence: Evidence, names: Names) -> Plan:
    """The record as the model reads the goal; what the spec says is not its to change."""
    why = f"the model: {said.analysis}"
    if LEVELS.index(said.llm_sees) > LEVELS.index(evidence.spec.llm_sees):
        raise InputError("llm_sees may be narrowed, never widened.")
    known = {found["name"] for found in evidence.facts["source"]["classes"]}
    benign = [_known_class(names, name, known) for name in said.benign]
    wanted: dict[str, Any] = {
        **{name: getattr(said, name) for name in FIELDS},
        "benign": benign,
        "task": None if said.task == NO_TASK else said.task,
        "classes": sorted(known),
    }
    given = evidence.spec.requirements.model_dump(exclude_none=True)
    changes = {
        name: (value, why)
        for name, value in wanted.items()
        if name not in given and value != param(plan, RECORD, name)
    }
    plan = with_params(plan, RECORD, **changes)
    if said.granularity != param(plan, IMPORT, "granularity"):
        plan = with_params(plan, IMPORT, granularity=(said.granularity, why))
    plan = plan.model_copy(update={"questions": _questions(plan, said, given)})
    return _with_doubt(summarised(plan, said.analysis), said)


def _known_class(names: Names, safe: str, known: set[str]) -> str:
    real = names.real(safe)
    if known and real not in known:
        raise InputError(f"benign: there is no class {safe!r} in the evidence.")
    return real


def _questions(plan: Plan, said: RequirementsSaid, given: dict[str, Any]) -> list[Question]:
    """The model's questions, then those of the rules whose answer it did not read in the goal; a
    person is asked three at most."""
    asked = {q.about: _question(q, plan.steps[0]) for q in said.questions if q.about not in given}
    ids = {question.id for question in asked.values()}
    left = [q for q in plan.questions if q.id not in ids and not _read(q.id, said)]
    return [*asked.values(), *left][:MOST_QUESTIONS]


def _read(question: str, said: RequirementsSaid) -> bool:
    return getattr(said, question.split(".")[1]) not in (None, [])


def _question(asked: AskedOfPerson, record: Step) -> Question:
    value = record.params.get(asked.about)
    default = ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)
    return Question(
        id=f"{RECORD}.{asked.about}",
        text=asked.text,
        kind=KINDS[asked.about],  # type: ignore[arg-type]
        default=default or "none",
        reason=asked.why,
    )


def _with_doubt(plan: Plan, said: RequirementsSaid) -> Plan:
    if said.task != NO_TASK:
        return plan
    note = "The model sees no detection task in this goal. Reject with other words, or go on."
    return plan.model_copy(update={"notes": [*plan.notes, note]})
