"""The sections of a report, in reading order; each is empty if there is nothing to tell."""

from pipelines.report import proofs, results, synthetic
from pipelines.report.data import PlanVersion, ReportData, SideSize
from pipelines.report.headline import headline
from pipelines.report.html import (
    Markup,
    badge,
    bullets,
    element,
    join,
    preformatted,
    section,
)
from pipelines.words import counted

_DECISION_LEVELS = {"approve": "good", "reject": "bad", "abort": "bad", "edit": "warning"}


def all_sections(report: ReportData) -> list[tuple[str, str, Markup]]:
    """Anchor, title and content of every section that has something to say."""
    found = [
        ("models", "Models", results.models(report)),
        ("classes", "Class by class", results.classes(report)),
        ("features", "Features", results.features(report)),
        ("draws", "Few labels", results.few_labels(report)),
        ("learning", "Learning curves", results.learning(report)),
        ("synthetic", "Synthetic rows", synthetic.rows(report)),
        ("audit", "Shortcut audit", proofs.audit(report)),
        ("split", "Split proof", proofs.split(report)),
        ("data", "Data", proofs.data(report)),
        ("plans", "Plans and decisions", join(_plan(plan) for plan in report.plans)),
        ("limits", "Limits", bullets(report.limits)),
        ("again", "Run it again", _again(report)),
    ]
    return [(name, title, section(name, title, part)) for name, title, part in found if part]


def summary(report: ReportData) -> Markup:
    """What was found: the headline, its details, the figures as tiles, the reviews' findings."""
    said = headline(report)
    lines = [element("p", said.line, kind="line"), *(element("p", each) for each in said.details)]
    box = element("div", *lines, kind=f"headline {said.level}")
    return join([box, _tiles(report), bullets(report.findings, "findings")])


def _tiles(report: ReportData) -> Markup:
    tiles = []
    if model := report.model(report.chosen):
        tiles.append(_tile("macro-F1", model.macro_f1, f"{model.low:.3f} to {model.high:.3f}"))
    if best := report.best_baseline:
        tiles.append(_tile("best baseline", best.macro_f1, best.name))
    if split := report.split:
        test = split.sides.get("test", SideSize(rows=0, groups=0))
        tiles.append(_tile("test rows", test.rows, counted(test.groups, f"{split.group} group")))
        straddling = split.groups_on_two_sides
        tiles.append(_tile("groups on two sides", straddling, f"split by {split.by}"))
    if audit := report.audit:
        count = sum(row.verdict == "shortcut" for row in audit.rows)
        seen = sum(row.is_open for row in audit.rows)
        tiles.append(_tile("shortcuts found", count, f"{seen} not masked"))
    return element("div", *tiles, kind="tiles") if tiles else Markup()


def _tile(name: str, value: float, note: str) -> Markup:
    parts = [element("span", name), element("b", value), element("span", note)]
    return element("div", *parts, kind="tile")


def _plan(plan: PlanVersion) -> Markup:
    decision = plan.decision or "waiting"
    said = f" by {plan.by}" if plan.by else ""
    said += f": {plan.note}" if plan.note else ""
    version = element("small", f" version {plan.version}, by {plan.planner}")
    parts = [
        element("h3", plan.stage, version),
        element("p", plan.summary),
        bullets(plan.changes, "changes"),
        element("p", badge(decision, _DECISION_LEVELS.get(decision, "open")), said),
        element("p", "Answer: ", plan.answer) if plan.answer else Markup(),
    ]
    return element("article", *parts, kind="plan")


def _again(report: ReportData) -> Markup:
    commands = preformatted("\n".join(report.commands)) if report.commands else Markup()
    spec = join([element("h3", "Spec"), preformatted(report.spec)]) if report.spec else Markup()
    return join([commands, spec])
