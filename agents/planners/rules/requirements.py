"""Requirements by rules: read the goal sentence, ask what only a person can know."""

import re
from typing import Any

from agents.checkpoints import Plan, Question
from agents.planners.base import Evidence
from agents.planners.rules.notes import Wishes, read_note
from agents.planners.rules.plans import RULES, param, step, summarised, with_params
from agents.state import Feedback

METRIC_REASONS = {
    "macro_f1": "every class counts the same, however rare it is",
    "accuracy": "every row counts the same, so that frequent classes decide",
}
BENIGN_WORDS = ("benign", "normal", "background", "clean", "legitimate", "good", "harmless")


def propose(evidence: Evidence) -> Plan:
    """What to tell apart, from where, how well."""
    spec, source = evidence.spec, evidence.facts["source"]
    wishes = read_note(spec.goal)
    classes = [found["name"] for found in source["classes"]]
    record = step(
        "record_requirements",
        metric=(spec.requirements.metric, METRIC_REASONS[spec.requirements.metric]),
        target=_target(evidence, wishes),
        max_false_positive_rate=_alarms(evidence, wishes),
        benign=_benign(evidence, classes),
        task=(spec.requirements.task, "set in the spec" if spec.requirements.task else "not named"),
        classes=(classes, "as the data names them"),
        max_latency_ms=_given(spec.requirements.max_latency_ms),
        runs_on=_given(spec.requirements.runs_on),
        llm_sees=(spec.llm_sees, "how much of the data a planner's prompt may hold"),
    )
    questions = [
        _question(name, record.params[name])
        for name in ("target", "max_false_positive_rate", "benign")
        if getattr(spec.requirements, name) is None and record.reasons[name].startswith("asked")
    ]
    steps = [record, _import(evidence, "rows", spec.data.source, source, wishes)]
    if spec.data.test is not None:
        steps.append(_import(evidence, "test_rows", spec.data.test, evidence.facts["test"], wishes))
    return Plan(
        stage="requirements",
        planner=RULES,
        summary=f"Tell {len(classes) or 'the'} classes apart, labelled by {source['label']}.",
        steps=steps,
        questions=questions,
    )


def revise(evidence: Evidence, plan: Plan, feedback: Feedback) -> Plan:
    """The plan with what the note says about target, alarms, label or granularity."""
    wishes = read_note(feedback.note)
    why = f"you said: {wishes.words}"
    changes: dict[str, dict[str, Any]] = {"record_requirements": {}, "import_rows": {}}
    if wishes.target is not None:
        changes["record_requirements"]["target"] = (wishes.target, why)
    if wishes.alarms is not None:
        changes["record_requirements"]["max_false_positive_rate"] = (wishes.alarms, why)
    if wishes.label is not None:
        changes["import_rows"]["label"] = (wishes.label, why)
    if wishes.granularity not in (None, param(plan, "import_rows", "granularity")):
        changes["import_rows"]["granularity"] = (wishes.granularity, why)
    if benign := _benign_in(feedback.note, evidence):
        changes["record_requirements"]["benign"] = (benign, why)
    if not any(changes.values()) and evidence.facts["source"]["layout"] == "table":
        words = "I read no change in your words. You can edit single parameters."
        return summarised(plan, words)
    if not any(changes.values()):
        packets = _first_packets(param(plan, "import_rows", "first_packets"), wishes.pace)
        changes["import_rows"]["first_packets"] = (packets, why)
        if not wishes.pace:
            plan = summarised(
                plan,
                f"I read no change in your words, so I propose to keep {packets} packets of each "
                "flow one by one. You can also edit single parameters.",
            )
    for tool, params in changes.items():
        plan = with_params(plan, tool, **params)
    settled = {f"record_requirements.{name}" for name in changes["record_requirements"]}
    return plan.model_copy(update={"questions": [q for q in plan.questions if q.id not in settled]})


def _benign_in(note: str, evidence: Evidence) -> list[str]:
    """The classes that a note calls benign: those that it names, if it speaks of benign ones."""
    words = note.lower()
    if not re.search(r"\bbenign\b|\bharmless\b", words):
        return []
    known = [found["name"] for found in evidence.facts["source"]["classes"]]
    return [name for name in known if re.search(rf"\b{re.escape(name.lower())}\b", words)]


def _first_packets(now: int, pace: int) -> int:
    """Half as many packets for less work, else twice as many, within what the tool takes."""
    return max(1, now // 2) if pace < 0 else min(256, now * 2)


def _target(evidence: Evidence, wishes: Wishes) -> tuple[float | None, str]:
    given = evidence.spec.requirements.target
    if given is not None:
        return given, "set in the spec"
    if wishes.target is not None:
        return wishes.target, "read in the goal"
    return None, "asked; without an answer the run reports the best honest number"


def _alarms(evidence: Evidence, wishes: Wishes) -> tuple[float | None, str]:
    given = evidence.spec.requirements.max_false_positive_rate
    if given is not None:
        return given, "set in the spec"
    if wishes.alarms is not None:
        return wishes.alarms, "read in the goal"
    return None, "asked; without an answer false alarms are reported and not judged"


def _benign(evidence: Evidence, classes: list[str]) -> tuple[list[str], str]:
    given = evidence.spec.requirements.benign
    if given is not None:
        return given, "set in the spec"
    known = [name for name in classes if name.lower() in BENIGN_WORDS]
    return known, "asked; the names of the classes suggest it"


def _given(value: Any) -> tuple[Any, str]:
    return value, "not asked for" if value is None else "set in the spec"


def _question(name: str, value: Any) -> Question:
    texts = {
        "target": ("share", "Which score must the detector reach (0 to 1, or none)?"),
        "max_false_positive_rate": (
            "share",
            "Which share of false alarms is tolerable (or none)?",
        ),
        "benign": ("names", "Which classes mean nothing to report (names with commas, or none)?"),
    }
    reasons = {
        "target": "a run that misses its target says so and exits with 1",
        "max_false_positive_rate": "measured at a recall of 0.9 on the test side",
        "benign": "a detector reports these as flows, all others as alerts",
    }
    kind, text = texts[name]
    default = ", ".join(value) if isinstance(value, list) else "" if value is None else f"{value:g}"
    return Question(
        id=f"record_requirements.{name}",
        text=text,
        kind=kind,  # type: ignore[arg-type]
        default=default or "none",
        reason=reasons[name],
    )


def _import(
    evidence: Evidence, name: str, path: str, source: dict[str, Any], wishes: Wishes
) -> Any:
    spec = evidence.spec
    granularity = (
        wishes.granularity
        if spec.data.granularity == "flow" and wishes.granularity
        else spec.data.granularity
    )
    return step(
        "import_rows",
        name=(name, "the rows to learn from" if name == "rows" else "the rows to test on"),
        source=(path, "set in the spec"),
        label=(source["label"], "set in the spec" if spec.data.label else source["reason"]),
        granularity=(granularity, f"one row a {granularity}"),
        columns=(spec.data.columns, "set in the spec" if spec.data.columns else "none given"),
        decode_tunnels=(
            spec.data.decode_tunnels,
            "what a tunnel carries" if spec.data.decode_tunnels else "set in the spec",
        ),
        protocols=(
            spec.data.protocols,
            "set in the spec" if spec.data.protocols else "asked for by data.protocols: true",
        ),
    )
