"""Cleaning by rules: safe filters only, a split that the data allows, identifiers masked."""

from typing import Any

from agents.checkpoints import Plan
from agents.planners.base import Evidence
from agents.planners.rules.notes import read_note
from agents.planners.rules.plans import RULES, param, step, summarised, with_params
from agents.state import Feedback
from pipelines.cleaning.recent import OLD_ROWS, OldRows
from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.datasets.group_names import group_of_split
from pipelines.words import counted

# The filter that only a person's wish adds.
RECENT = OLD_ROWS.name


def propose(evidence: Evidence) -> Plan:
    """Which rows go to quarantine, how sides are drawn, what models may not see."""
    spec, filters = evidence.spec, evidence.facts["filters"]
    taken = [f for f in filters if f["recommended"]]
    masks = list(DEFAULT_MASKS if spec.data.masks is None else spec.data.masks)
    why_masks = (
        "they name hosts and moments, not behaviour"
        if spec.data.masks is None
        else "set in the spec"
    )
    by, why_by = _split(evidence)
    plan = Plan(
        stage="cleaning",
        planner=RULES,
        summary="",
        steps=[
            step(
                "clean_rows",
                filters=([f["name"] for f in taken], _filter_reason(taken)),
                group=(evidence.facts["group"], "a class needs two of them to be tested"),
            ),
            step(
                "split_rows",
                by=(by, why_by),
                test=(spec.data.split.test, "set in the spec or its default"),
                validation=(
                    spec.data.split.validation,
                    "of the train side, to choose and to stop by",
                ),
            ),
            step("audit_shortcuts", masks=(masks, why_masks)),
        ],
    )
    return summarised(plan, _summary(evidence, plan))


def revise(evidence: Evidence, plan: Plan, feedback: Feedback) -> Plan:
    """The plan with the filters, split or masks that a person or the audit asks for."""
    if feedback.source == "review":
        return _mended(evidence, plan)
    wishes, why = read_note(feedback.note), f"asked for: {feedback.note.strip()}"
    masks = set(param(plan, "audit_shortcuts", "masks"))
    filters = param(plan, "clean_rows", "filters")
    named = {
        name
        for name in _known(evidence) | {*map(_name, filters)}
        if name.replace("_", " ") in feedback.note.lower().replace("_", " ")
    }
    changed = plan
    if wishes.split_by:
        changed = _split_by(changed, wishes.split_by, why)
    if wishes.test_share:
        changed = with_params(changed, "split_rows", test=(wishes.test_share, why))
    wanted_masks = (masks | wishes.mask) - wishes.unmask
    if wanted_masks != masks:
        changed = with_params(changed, "audit_shortcuts", masks=(sorted(wanted_masks), why))
    wanted = [] if wishes.keep_rows else _toggled(filters, named)
    untimed = ""
    if wishes.last_days and evidence.facts["days"] is None:
        untimed = "These rows have no times, so none of them is recent. "
    elif wishes.last_days:
        wanted = recent_only(wanted, wishes.last_days)
    if wanted != filters:
        changed = with_params(changed, "clean_rows", filters=(wanted, why))
    if changed == plan and untimed:
        return summarised(plan, f"{untimed}{_summary(evidence, plan)}")
    if changed == plan:
        return _alternative(evidence, plan, why)
    return summarised(changed, f"{untimed}{_summary(evidence, changed)}")


def recent_only(filters: list[Any], days: float) -> list[Any]:
    """The filters with one that keeps the newest days only, first of all."""
    others = [chosen for chosen in filters if _name(chosen) != RECENT]
    return [{"name": RECENT, "params": {"days": days}}, *others]


def newest_days(filters: list[Any]) -> float | None:
    """How many of the newest days are kept; None for all."""
    for chosen in filters:
        if _name(chosen) == RECENT:
            given = {} if isinstance(chosen, str) else chosen.get("params", {})
            return OldRows.model_validate(given).days
    return None


def _mended(evidence: Evidence, plan: Plan) -> Plan:
    """The plan with the masks and filters that take away the leaks that the audit found."""
    mend = evidence.numbers["audit_shortcuts"]["mend"]
    masks, filters = param(plan, "audit_shortcuts", "masks"), param(plan, "clean_rows", "filters")
    more_masks = sorted({*mend["masks"]} - {*masks})
    more_filters = sorted({*mend["filters"]} & _known(evidence) - {*map(_name, filters)})
    changed = plan
    if more_masks:
        why = f"the audit: {', '.join(more_masks)} gave the label away"
        changed = with_params(
            changed, "audit_shortcuts", masks=(sorted([*masks, *more_masks]), why)
        )
    if more_filters:
        why = "the audit: rows of both sides are copies of each other"
        changed = with_params(changed, "clean_rows", filters=([*filters, *more_filters], why))
    if changed == plan:
        return summarised(plan, "The audit found a leak that I know no mend for: look at the data.")
    return summarised(changed, f"Mended as the audit asks. {_summary(evidence, changed)}")


def _name(chosen: str | dict[str, Any]) -> str:
    """The name of a filter of a plan: alone, or with parameters beside it."""
    return chosen if isinstance(chosen, str) else str(chosen["name"])


def _known(evidence: Evidence) -> set[str]:
    """The filters that would move rows, and those that nobody has tried because they take long."""
    found = {found["name"] for found in evidence.facts["filters"]}
    return found | {*evidence.facts.get("not_tried", ())}


def _toggled(filters: list[Any], named: set[str]) -> list[Any]:
    """The filters without those named that are among them, and with those that are not."""
    if not named:
        return filters
    kept = [chosen for chosen in filters if _name(chosen) not in named]
    added = named - {*map(_name, filters)}
    return sorted([*kept, *added], key=_name)


def _split_by(plan: Plan, by: str, why: str) -> Plan:
    """Another way of splitting, and with it another group that a class needs two of."""
    group = group_of_split(by)
    plan = with_params(plan, "clean_rows", group=(group, "a class needs two of them to be tested"))
    return with_params(plan, "split_rows", by=(by, why))


def _alternative(evidence: Evidence, plan: Plan, why: str) -> Plan:
    """The next best split when the words say nothing that the rules can read."""
    by = param(plan, "split_rows", "by")
    if by == "fixed":
        return summarised(
            plan,
            "I read no change in your words, and the spec names the test source. "
            "You can also edit single parameters.",
        )
    order = ["time", "flow", "capture"] if evidence.facts["kind"] != "table" else ["row", "time"]
    other = order[(order.index(by) + 1) % len(order)] if by in order else order[0]
    changed = _split_by(plan, other, f"the next split, {why}")
    return summarised(
        changed,
        f"I read no change in your words, so I propose to split by {other}. "
        "You can also edit single parameters.",
    )


def _split(evidence: Evidence) -> tuple[str, str]:
    spec, facts = evidence.spec, evidence.facts
    if spec.data.test is not None:
        return "fixed", "the spec names a test source of its own: all of the first is for training"
    if spec.data.split.by is not None:
        return spec.data.split.by, "set in the spec"
    if facts["kind"] == "table":
        return "row", "a table without time: equal rows stay on one side"
    if facts["captures_per_class"] >= 4:
        return "capture", "every class has four captures or more: test on captures never seen"
    return "time", "train on earlier flows, test on later ones, as in operation"


def _summary(evidence: Evidence, plan: Plan) -> str:
    filters = evidence.facts["filters"]
    names = {*map(_name, param(plan, "clean_rows", "filters"))}
    rows = sum(f["rows"] for f in filters if f["name"] in names)
    aside = f"Set {rows:,} rows aside" if rows else "Set no rows aside"
    days = newest_days(param(plan, "clean_rows", "filters"))
    if days is not None:
        aside = f"{_recent(evidence.facts['days'], days)}{aside}"
    others = ", ".join(_offer(f) for f in filters if f["name"] not in names)
    by = param(plan, "split_rows", "by")
    how = "test on the second source" if by == "fixed" else f"split by {by}"
    rest = f" Filters that you could add: {others}." if others else ""
    return f"{aside}, {how}, hide identifiers and look for shortcuts.{rest}"


def _recent(spanned: float | None, kept: float) -> str:
    """What the filter that keeps the newest days will do to rows that span so many."""
    if spanned is None:
        return ""  # that these rows cannot be so filtered is said where the filter runs
    if spanned <= kept:
        return f"These rows span {spanned:.3g} days, so all of them are recent. "
    return f"Keep the newest {kept:g} of {spanned:.3g} days. "


def _offer(found: dict[str, Any]) -> str:
    """A filter that is not taken, with what speaks for and against it, in a few words."""
    words = [f"{found['rows']:,}"]
    if found.get("precision") is not None:
        words.append(f"{found['precision']:.0%} rightly")
    if effect := found.get("effect"):
        gain = effect["macro_f1_with"] - effect["macro_f1_without"]
        words.append(f"macro-F1 {gain:+.3f}")
    if lost := len(found.get("classes_lost", ())):
        words.append(f"{counted(lost, 'class', 'classes')} lost")
    return f"{found['name']} ({', '.join(words)})"


def _filter_reason(taken: list[dict[str, Any]]) -> str:
    if not taken:
        return "no filter is safe enough to be taken unasked"
    return "; ".join(f"{f['name']}: {f['rows']:,} rows, {f['reason']}" for f in taken)
