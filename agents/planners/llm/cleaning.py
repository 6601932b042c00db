"""Cleaning by a language model: how far rows can be believed, filters, the split, more masks."""

from typing import Any

from agents.checkpoints import Plan
from agents.planners.base import Evidence
from agents.planners.llm.proposals import CleaningSaid
from agents.planners.rules.cleaning import RECENT, newest_days, recent_only
from agents.planners.rules.plans import param, summarised, with_params
from agents.wall.names import Names
from pipelines.datasets.group_names import group_of_split
from pipelines.errors import InputError
from pipelines.words import counted

schema = CleaningSaid


def default(plan: Plan, evidence: Evidence, names: Names) -> dict[str, Any]:
    """What the rules would do."""
    return {
        "filters": [
            {"name": _name(chosen)}
            for chosen in param(plan, "clean_rows", "filters")
            if _name(chosen) != RECENT
        ],
        "last_days": newest_days(param(plan, "clean_rows", "filters")),
        "split_by": param(plan, "split_rows", "by"),
        "test": param(plan, "split_rows", "test"),
        "masks": sorted(param(plan, "audit_shortcuts", "masks")),
    }


def amended(plan: Plan, said: CleaningSaid, evidence: Evidence, names: Names) -> Plan:
    """The plan with the model's filters, split and further masks; what the spec says stays."""
    plan = _filtered(plan, said, evidence)
    plan = _split(plan, said, evidence)
    plan = _masked(plan, said, evidence)
    strange = [judged for judged in said.records if not judged.plausible]
    notes = [f"Record {judged.record} looks wrong: {judged.why}" for judged in strange[:10]]
    if strange:
        looked = counted(len(said.records), "sampled record")
        notes.insert(0, f"Of {looked}, {len(strange)} do not look like their label.")
    return summarised(plan, said.judgement).model_copy(update={"notes": [*plan.notes, *notes]})


def _filtered(plan: Plan, said: CleaningSaid, evidence: Evidence) -> Plan:
    now = param(plan, "clean_rows", "filters")
    known = {found["name"] for found in evidence.facts["filters"]}
    known |= {*evidence.facts.get("not_tried", ()), *map(_name, now)}
    for chosen in said.filters:
        if chosen.name not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise InputError(
                f"filters: there is no filter {chosen.name!r} here.", f"Known: {listed}."
            )
    wanted = sorted({chosen.name for chosen in said.filters} - {RECENT})
    if wanted == sorted({*map(_name, now)} - {RECENT}) and said.last_days == newest_days(now):
        return plan
    why = "; ".join(f"{chosen.name}: {chosen.why}" for chosen in said.filters) or said.judgement
    kept = {_name(chosen): chosen for chosen in now}  # with the parameters that it has
    filters = [kept.get(name, name) for name in wanted]
    if said.last_days is not None:
        filters = recent_only(filters, said.last_days)
    return with_params(plan, "clean_rows", filters=(filters, f"the model: {why}"))


def _split(plan: Plan, said: CleaningSaid, evidence: Evidence) -> Plan:
    given, now = evidence.spec.data.split, param(plan, "split_rows", "by")
    why = f"the model: {said.split_why}"
    if said.split_by != now:
        if given.by is not None or "fixed" in (said.split_by, now):
            raise InputError(f"split_by: {now} is set by the person; leave it.")
        group = group_of_split(said.split_by)
        plan = with_params(plan, "clean_rows", group=(group, "a class needs two of them"))
        plan = with_params(plan, "split_rows", by=(said.split_by, why))
    if said.test != param(plan, "split_rows", "test"):
        plan = with_params(plan, "split_rows", test=(said.test, why))
    return plan


def _masked(plan: Plan, said: CleaningSaid, evidence: Evidence) -> Plan:
    now, wanted = {*param(plan, "audit_shortcuts", "masks")}, {*said.masks}
    if shown := sorted(now - wanted):
        raise InputError(f"masks: {', '.join(shown)} must stay hidden; you may only hide more.")
    if wanted == now:
        return plan
    return with_params(
        plan, "audit_shortcuts", masks=(sorted(wanted), f"the model: {said.masks_why}")
    )


def _name(chosen: str | dict[str, Any]) -> str:
    return chosen if isinstance(chosen, str) else str(chosen["name"])
