"""Features by rules: those of the spec, or of a person's words, are tried before anything else."""

import re
from collections.abc import Iterator, Sequence

from agents.checkpoints import Plan, Step
from agents.planners.base import Evidence
from agents.planners.rules.plans import param, step, without_tool
from pipelines.errors import InputError
from pipelines.features.columns import row_features
from pipelines.features.functions import FUNCTIONS
from pipelines.models.registry import BASELINES
from pipelines.store.rows import read_schema
from pipelines.words import counted

DERIVE = "derive_features"
CALL = re.compile(rf"\b(?:{'|'.join(FUNCTIONS)})\(")
FEATURES_SAID = re.compile(
    r"^(?:Try [\d,]+ features? on validation rows first|No feature is tried)\. "
)
NONE = re.compile(r"\b(?:no|without|drop|skip)\b[^,.;]*\b(?:feature|derived)")


def proposed(evidence: Evidence, plan: Plan) -> Plan:
    """The plan with the features of the spec, which are tried once."""
    wanted = evidence.spec.features
    if wanted is None or DERIVE in evidence.numbers:
        return plan
    if wanted == "auto":
        note = "Features are proposed by a language model, and none plans here."
        return plan.model_copy(update={"notes": [*plan.notes, note]})
    _check(evidence, wanted)
    return with_features(evidence, plan, wanted, "set in the spec")


def _check(evidence: Evidence, wanted: Sequence[str]) -> None:
    """Raises InputError for a feature of the spec that these rows do not allow: a plan cannot mend
    the spec."""
    assert evidence.rows is not None, "rows are imported before this stage"
    masks = evidence.numbers["audit_shortcuts"]["masks"]
    try:
        row_features(wanted, read_schema(evidence.rows), masks)
    except InputError as error:
        again = "Mend the spec and begin anew: netloop runs resume would meet it again."
        mend = f"{error.mend} {again}".strip()
        raise InputError(f"The spec's features: {error.message}", mend, error.excerpt) from error


def revised(evidence: Evidence, plan: Plan, note: str) -> Plan | None:
    """The plan with the features that a person's words hold, or without any; None if they speak
    of none."""
    if NONE.search(note.lower()) and param(plan, DERIVE, "expressions"):
        plan = without_tool(plan, DERIVE)
        return plan.model_copy(update={"summary": f"No feature is tried. {_rest(plan)}"})
    if named := [*_calls(note)]:
        known: list[str] = param(plan, DERIVE, "expressions") or []
        every = list(dict.fromkeys([*known, *named]))
        return with_features(evidence, plan, every, f"asked for: {note.strip()}")
    return None


def carried(before: Plan, plan: Plan) -> Plan:
    """``plan`` with the features that ``before`` was to try."""
    tried = [s for s in before.steps if s.tool == DERIVE]
    return plan.model_copy(update={"steps": [*tried, *plan.steps]}) if tried else plan


def with_features(evidence: Evidence, plan: Plan, features: Sequence[str], why: str) -> Plan:
    """The plan that tries these features before all else."""
    words = f"Try {counted(len(features), 'feature')} on validation rows first. {_rest(plan)}"
    steps = [_trial(evidence, features, why), *without_tool(plan, DERIVE).steps]
    return plan.model_copy(update={"steps": steps, "summary": words})


def _trial(evidence: Evidence, features: Sequence[str], why: str) -> Step:
    """By the last of the ladder's candidates, or of the ladder; fits of a forest vary by luck."""
    wanted = evidence.spec.design.candidates
    ladder = [name for name in BASELINES if name != "majority"]  # which reads no column
    model = next((name for name in reversed(ladder) if name in wanted), ladder[-1])
    repeats = (5, "one fit may be lucky") if model == "random_forest" else (1, "no fit is random")
    return step(
        DERIVE,
        expressions=([*features], why),
        model=(model, "the strongest of the ladder that is to be trained"),
        repeats=repeats,
        masks=(evidence.numbers["audit_shortcuts"]["masks"], "as the audit decided"),
    )


def _rest(plan: Plan) -> str:
    """What the summary says beside features; of a plan without steps it says ``None.``"""
    said = re.sub(FEATURES_SAID, "", plan.summary)
    return f"No synthetic rows.{said.removeprefix('None.')}" if said.startswith("None.") else said


def _calls(note: str) -> Iterator[str]:
    """The outermost calls of functions in a sentence; one without its end goes to the end."""
    place = 0
    while found := CALL.search(note, place):
        depth, place = 1, found.end()
        while depth and place < len(note):
            depth += {"(": 1, ")": -1}.get(note[place], 0)
            place += 1
        yield note[found.start() : place]
