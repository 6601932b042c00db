"""Why the scores may be believed: the shortcut audit, the split, the data and its health."""

from pipelines.report import pictures
from pipelines.report.data import Audit, AuditGroup, HealthSummary, ReportData
from pipelines.report.html import (
    Cell,
    Figure,
    Markup,
    badge,
    bullets,
    element,
    join,
    picture,
    table,
)
from pipelines.words import counted

SIDES = ("train", "validation", "test")
_VERDICT_LEVELS = {"shortcut": "bad", "strong": "warning", "weak": "warning", "none": "good"}
_AUDIT_LEVELS = {"trustworthy": "good", "doubtful": "warning", "leaking": "bad"}


def audit(report: ReportData) -> Markup:
    """The verdict, a row and a bar a field group, every field, payloads on both sides."""
    if report.audit is None:
        return Markup()
    return join([_verdict(report.audit), _groups(report), _fields(report)])


def _verdict(audit: Audit) -> Markup:
    if audit.verdict is None:
        return Markup()
    said = element("p", "The audit calls this ", badge(audit.verdict, _AUDIT_LEVELS[audit.verdict]))
    leaks = [leak.words for leak in audit.leaks if leak.words not in audit.reasons]
    return join([said, bullets([*audit.reasons, *leaks], "findings")])


def _groups(report: ReportData) -> Markup:
    """The one table and the one picture of the audit."""
    if report.audit is None or not report.audit.groups:
        return Markup()
    groups = report.audit.groups
    rows: list[list[Cell]] = [
        [
            row.group,
            row.field or "",
            row.field_accuracy,
            row.tree_accuracy,
            badge(row.verdict, _VERDICT_LEVELS[row.verdict]),
            "masked" if row.masked else "seen by models",
            _fall(row),
        ]
        for row in groups
    ]
    opened = [i for i, row in enumerate(groups) if row.verdict == "shortcut" and not row.masked]
    heads = ["group", "best field", "alone", "small tree", "verdict", "models", "fall if shuffled"]
    chosen = report.model(report.chosen)
    parts = [
        table(heads, rows, frozenset(opened)),
        picture(
            pictures.field_groups(groups, chosen.accuracy if chosen else None),
            "Accuracy of the best field and of a small tree of each field group: "
            + "; ".join(f"{row.group} {row.tree_accuracy:.3f}" for row in groups),
            "What each field group gives away on held-out rows, masked or not.",
        ),
        _forged(report.audit),
    ]
    return join(parts)


def _fall(row: AuditGroup) -> Cell:
    if row.masked:
        return Figure("0, not seen")
    if row.fall is None or row.fall_ci is None:
        return None
    low, high = row.fall_ci
    return Figure(f"{row.fall:.3f} ({low:.3f} to {high:.3f})")


def _forged(audit: Audit) -> Markup:
    forged = audit.forged
    if forged is None:
        return Markup()
    moved = (
        "not one probability moved"
        if forged.moved == 0
        else f"macro-F1 {forged.macro_f1:.3f}, a fall of {forged.fall:.3f}"
    )
    return element(
        "p",
        f"In a forged network, with every identifier replaced by another, {forged.model} was asked "
        f"about {counted(forged.rows, 'test row')} again: {moved}.",
    )


def _fields(report: ReportData) -> Markup:
    if report.audit is None:
        return Markup()
    ordered = sorted(report.audit.rows, key=lambda row: -row.accuracy)
    rows: list[list[Cell]] = [
        [
            row.field,
            row.group,
            row.accuracy,
            row.majority,
            badge(row.verdict, _VERDICT_LEVELS[row.verdict]),
            "masked" if row.masked else "seen by models",
        ]
        for row in ordered
    ]
    parts = [
        element(
            "p",
            "A plain look-up of one field, learnt on train rows, tested on held-out rows. A field "
            "that alone predicts the label is a shortcut: models must not see it.",
        ),
        table(
            ["field", "group", "accuracy", "majority class", "verdict", "models"],
            rows,
            frozenset(i for i, row in enumerate(ordered) if row.is_open),
        ),
    ]
    return join([*parts, _duplicates(report.audit)])


def _duplicates(audit: Audit) -> Markup:
    found = sorted((d for d in audit.duplicates if d.repeated), key=lambda d: -d.repeated)
    if not audit.duplicates:
        return Markup()
    if not found:
        return element("p", "No payload of a test row also occurs on the train side.")
    return join(
        [
            element("h3", "Payloads that occur on both sides"),
            table(
                ["class", "test rows with payload", "seen in train", "share"],
                [
                    [d.name, d.rows, d.repeated, Figure(f"{d.repeated / max(d.rows, 1):.0%}")]
                    for d in found
                ],
            ),
        ]
    )


def split(report: ReportData) -> Markup:
    """How the sides were made, how large they are, and the count that proves them apart."""
    if report.split is None:
        return Markup()
    drawn = report.split
    clean = drawn.groups_on_two_sides == 0
    proof = badge(
        "no group on two sides"
        if clean
        else f"{counted(drawn.groups_on_two_sides, 'group')} on two sides",
        "good" if clean else "bad",
    )
    return join(
        [
            element(
                "p",
                "Split by ",
                element("strong", drawn.by),
                "; what may not straddle is a ",
                element("strong", drawn.group),
                ". ",
                proof,
            ),
            table(
                ["side", "rows", f"{drawn.group} groups"],
                [
                    [side, drawn.sides[side].rows, drawn.sides[side].groups]
                    for side in SIDES
                    if side in drawn.sides
                ],
            ),
            element("p", "manifest SHA-256 ", element("code", drawn.manifest_sha256), kind="hash"),
            bullets(drawn.warnings, "findings"),
        ]
    )


def data(report: ReportData) -> Markup:
    """The data card: where the rows come from, how many of each class, how healthy."""
    if report.data is None:
        return Markup()
    card = report.data
    facts = {
        "source": card.source,
        "test source": card.test_source or "",
        "class from": card.label,
        "a row is a": card.granularity,
        "masked": ", ".join(card.masks),
    }
    listed = [
        part
        for name, value in facts.items()
        if value
        for part in (element("dt", name), element("dd", value))
    ]
    rows: list[list[Cell]] = [[c.name, c.train, c.validation, c.test] for c in card.classes]
    total: list[Cell] = [
        f"all {counted(len(rows), 'class', 'classes')}",
        *(sum(getattr(c, s) for c in card.classes) for s in SIDES),
    ]
    return join(
        [
            element("dl", *listed),
            table(["class", *SIDES], [*rows, total], frozenset([len(rows)])),
            _health(card.health) if card.health else Markup(),
        ]
    )


def _health(health: HealthSummary) -> Markup:
    skipped = sorted(health.skipped.items(), key=lambda item: -item[1])
    records = [f"{r.capture} at byte {r.offset:,}: {r.reason}" for r in health.corrupt_records]
    unnamed = health.corrupt - len(records)
    more = [f"and {counted(unnamed, 'more corrupt record')}"] if unnamed > 0 else []
    return join(
        [
            element("h3", "Health of the captures"),
            element(
                "p",
                f"{counted(health.captures, 'capture')}, {counted(health.packets, 'packet')}, "
                f"{health.bytes / 1e6:,.1f} MB read; "
                f"{counted(health.truncated, 'packet')} truncated, "
                f"{sum(health.skipped.values()):,} skipped, "
                f"{counted(health.corrupt, 'record')} corrupt.",
            ),
            table(["skipped because", "packets"], skipped) if skipped else Markup(),
            bullets([*records, *more]),
        ]
    )
