"""Why the scores may be believed: the shortcut audit, the split, the data and its health."""

from pipelines.report.data import Audit, HealthSummary, ReportData
from pipelines.report.html import Cell, Figure, Markup, badge, bullets, element, join, table
from pipelines.words import counted

SIDES = ("train", "validation", "test")
_VERDICT_LEVELS = {"shortcut": "bad", "weak": "warning", "none": "good"}


def audit(report: ReportData) -> Markup:
    """Every field looked up alone, the strongest first, and payloads that occur on both sides."""
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
