"""Features that a language model names: read under the names that it is shown, tried like others.

It reads and writes safe names, and so does every error that goes back to it: its text is parsed
over a schema with these names, and only the tree is turned into real ones.
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from agents.checkpoints import Plan
from agents.planners.base import Evidence
from agents.planners.llm.proposals import FeatureSaid
from agents.planners.rules import features as rules
from agents.planners.rules.plans import param
from agents.wall.features import real_feature, safe_feature
from agents.wall.names import Names
from pipelines.errors import InputError
from pipelines.features.columns import row_features
from pipelines.features.proposals import MOST_PROPOSALS
from pipelines.features.tokens import MOST_CHARACTERS
from pipelines.store.rows import read_schema


def may_propose(evidence: Evidence) -> bool:
    """Whether features can be tried: once, and by labels that the run has."""
    return rules.DERIVE not in evidence.numbers and evidence.spec.data.sample is None


def default(plan: Plan, names: Names) -> list[dict[str, str]]:
    """What the plan would try, under safe names."""
    return [{"expression": safe_feature(text, names.safe), "why": ""} for text in _tried(plan)]


def amended(plan: Plan, said: Sequence[FeatureSaid], evidence: Evidence, names: Names) -> Plan:
    """The plan that tries what the model names, beside what the person did.

    Raises InputError, in safe names, for what is no feature of these rows.
    """
    if not said:
        return plan
    if not may_propose(evidence):
        raise InputError("features: none can be tried here.")
    found = row_features(
        [one.expression for one in said], _safe_schema(evidence, names), _masks(evidence)
    )
    wanted = [str(real_feature(feature, names)) for feature in found]
    if any(len(text) > MOST_CHARACTERS for text in wanted):
        raise InputError("features: one is too long under the real names.", "Write shorter ones.")
    known = _tried(plan)
    every = list(dict.fromkeys([*known, *wanted]))
    if len(every) > MOST_PROPOSALS:
        raise InputError(f"features: name {MOST_PROPOSALS - len(known)} more at most.")
    if every == known:
        return plan
    why = {text: one.why for text, one in zip(wanted, said, strict=True) if text not in known}
    words = "; ".join(f"{text}: {reason}" for text, reason in why.items() if reason)
    return rules.with_features(evidence, plan, every, f"the model: {words}")


def columns_told(columns: list[dict[str, Any]], evidence: Evidence) -> list[dict[str, Any]]:
    """Of the columns that the wall lets through: what features may read, by name and kind."""
    masks = _masks(evidence)
    return [
        {"name": column["name"], "kind": column["kind"]}
        for column in columns
        if column["group"] not in masks
    ]


def _tried(plan: Plan) -> list[str]:
    return param(plan, rules.DERIVE, "expressions") or []


def _masks(evidence: Evidence) -> list[str]:
    masks: list[str] = evidence.numbers["audit_shortcuts"]["masks"]
    return masks


def _safe_schema(evidence: Evidence, names: Names) -> pa.Schema:
    """The columns of the rows under safe names; one that no text can name is left out."""
    assert evidence.rows is not None, "rows are imported before this stage"
    return pa.schema(
        field.with_name(names.safe("column", field.name))
        for field in read_schema(evidence.rows)
        if "`" not in field.name
    )
