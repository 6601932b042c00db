"""What a planner's prompt may hold, built from an allow-list: all else of the evidence stays here.

Four levels, each with what the ones before it show: ``schema`` is what the data is like, ``stats``
adds the numbers that code computed, ``redacted`` a few records with other addresses, ``raw`` the
same records as they are.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.checkpoints import Plan
from agents.planners.base import Evidence
from agents.spec import Sees, Spec
from agents.stages import rules_of
from agents.wall.allowed import LONGEST, RESULTS, STRUCTURE, Reading, Say, Sieve
from agents.wall.attachments import attached
from agents.wall.names import NameKind, Names
from agents.wall.records import sampled_records
from pipelines.privacy.addresses import Anonymiser
from pipelines.privacy.key import workspace_key
from pipelines.privacy.summary import describe_columns
from pipelines.store.rows import read_schema
from tools.registry import TOOLS, find_tool

# Of a spec and of a step's parameters, whose keys are fields of our own models.
ASKED: dict[str, Reading | None] = {
    **dict.fromkeys(("goal", "attachments", "source", "columns", "executor"), None),
    **dict.fromkeys(("accept_shortcuts", "data.test", "absent"), None),
    **dict.fromkeys(("benign", "classes"), "class"),
    "label": "label",
    **dict.fromkeys(("features", "expressions"), "feature"),
    "filters": "word",
}


def view(evidence: Evidence, sees: Sees, names: Names, workspace: Path) -> dict[str, Any]:
    """The JSON that a prompt may hold of ``evidence`` at a level. ``names``: ``names_of`` it.

    ``workspace`` keeps the key that addresses are anonymised with, which is drawn for ``redacted``.
    Raises InputError for an attachment that cannot be read, NetloopError for rows or a key.
    """
    spec, anonymiser = evidence.spec, _anonymiser(sees, workspace)
    words = sees in ("redacted", "raw")
    seen: dict[str, Any] = {
        "stage": evidence.stage,
        "version": evidence.version,
        "goal": spec.goal,
        "names_in_goal": names.spoken_in(spec.goal),
        "attachments": [attached(Path(path), words, anonymiser) for path in spec.attachments],
        "asked": _asked(spec, names.safe),
        "tools": tools_of(evidence),
        "classes": names.of("class"),
        **_found(evidence, sees, names.safe),
    }
    if evidence.rows is not None:
        seen["columns"] = _columns(evidence.rows, sees, names)
        if words and evidence.stage == "cleaning":
            seen["records"] = sampled_records(evidence.rows, names, anonymiser)
    return seen


def names_of(evidence: Evidence, plans: Sequence[Plan] = ()) -> Names:
    """All names of the data that the evidence and the plans hold, whatever a level shows of them.

    Raises NetloopError for rows that cannot be read.
    """
    found: dict[NameKind, set[str]] = {"class": set(), "column": set(), "file": set()}

    def note(kind: NameKind, real: str) -> str:
        found.setdefault(kind, set()).add(real)
        return real

    _asked(evidence.spec, note)
    _found(evidence, "stats", note, sys.maxsize)
    for plan in plans:
        _steps(plan, note)
    if evidence.rows is not None:
        found["column"].update(read_schema(evidence.rows).names)
    return Names(found)


def plan_view(plan: Plan, names: Names) -> dict[str, Any]:
    """What a prompt may hold of a plan: its steps. ``names``: ``names_of`` the evidence and it.

    Summaries, reasons and failures are sentences about data: that there is one is all that is told.
    """
    return {
        "stage": plan.stage,
        "version": plan.version,
        "steps": _steps(plan, names.safe),
        "failed": bool(plan.failure),
        "stopped_by_audit": bool(plan.gate),
    }


def tools_of(evidence: Evidence) -> list[dict[str, Any]]:
    """The tools that a stage may use, with their parameters; the filters and the functions of
    features too, where they are chosen."""
    told: list[dict[str, Any]] = []
    for name in rules_of(evidence.stage).tools:
        tool = find_tool(name)
        fields = tool.params.model_json_schema()["properties"]
        params = {
            key: {k: v for k, v in field.items() if k != "title"} for key, field in fields.items()
        }
        told.append({"name": name, "about": tool.summary, "risk": tool.risk, "parameters": params})
        if name == "clean_rows":
            told[-1]["filters"] = _filters()
        if name == "derive_features":
            told[-1]["functions"] = _functions()
    return told


def _filters() -> dict[str, str]:
    from pipelines.cleaning.registry import KINDS

    return {name: kind.reason for name, kind in KINDS.items()}


def _functions() -> dict[str, str]:
    """What a feature may call, apart from windows, which no detector computes."""
    from pipelines.features.functions import FUNCTIONS

    return {
        form.usage(name): form.meaning
        for name, forms in FUNCTIONS.items()
        for form in forms
        if form.reads != "window"
    }


def _anonymiser(sees: Sees, workspace: Path) -> Anonymiser | None:
    return Anonymiser(workspace_key(workspace)) if sees == "redacted" else None


def _asked(spec: Spec, say: Say) -> dict[str, Any]:
    """What the person wrote down, without paths: their numbers say nothing of the data."""
    return Sieve(ASKED, say, rest="ours").record(spec.model_dump(mode="json"), "spec")


def _found(evidence: Evidence, sees: Sees, say: Say, longest: int = LONGEST) -> dict[str, Any]:
    """The findings of this stage and the results of earlier ones."""
    numbers = sees != "schema"
    sieve = Sieve(STRUCTURE | RESULTS if numbers else STRUCTURE, say, numbers, None, longest)
    results = {
        step: sieve.record(found, tool)
        for step, found in evidence.numbers.items()
        if (tool := step.split("#")[0]) in TOOLS
    }
    return {"facts": sieve.record(evidence.facts, "facts"), "numbers": results}


def _steps(plan: Plan, say: Say) -> list[dict[str, Any]]:
    sieve = Sieve(ASKED, say, rest="ours")
    return [
        {"tool": step.tool, "params": sieve.record(step.params, step.tool)}
        for step in plan.steps
        if step.tool in TOOLS
    ]


def _columns(rows: Path, sees: Sees, names: Names) -> list[dict[str, Any]]:
    told = describe_columns(rows, numbers=sees != "schema")
    return [
        {**column.model_dump(exclude_none=True), "name": names.safe("column", column.name)}
        for column in told
    ]
