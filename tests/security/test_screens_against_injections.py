"""The whole corpus through what people look at: no escape, no markup, no script comes out."""

import io
import re
import unicodedata
from html.parser import HTMLParser
from typing import Any

import pytest
from injections import CANARY, INJECTIONS
from rich.console import Console

from agents.checkpoints import Plan, Question, Step
from agents.output import AuditOutput, ModelOutput, ReplayOutput, RunOutput, SplitOutput
from agents.terminal.plan_view import render_plan
from agents.terminal.render import render_output
from pipelines.report import data as d
from pipelines.report.page import POLICY, render_page

HOSTILE = [*INJECTIONS.values()]
# What rich sends for our own styles.
STYLES = re.compile(r"\x1b\[[0-9;]*m")
RUNNING = {"script", "iframe", "object", "embed", "svg", "form", "input", "link", "base"}


def terminal() -> Console:
    """A terminal with colours, as an attacker would like it."""
    return Console(
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        width=100,
        markup=False,
        highlight=False,
    )


def check_screen(sent: str) -> None:
    """Nothing but characters that are seen, line ends, and styles."""
    for character in STYLES.sub("", sent):
        assert character == "\n" or unicodedata.category(character)[0] != "C", hex(ord(character))


def check_markup(sent: str) -> None:
    """Markup in data stays text: its brackets are there, and nothing took its style."""
    assert "[bold green]APPROVED" in STYLES.sub("", sent)
    assert not re.search(rf"\x1b\[1;32mAPPROVED {CANARY}", sent)
    assert "\x1b]8" not in sent


def test_a_plan_of_injections() -> None:
    plan = Plan(
        stage="cleaning",
        version=2,
        planner=INJECTIONS["clear screen"],
        summary=INJECTIONS["rich markup"],
        failure=INJECTIONS["C1"],
        changes=[f"~ {text}" for text in HOSTILE],
        steps=[
            Step(
                tool="clean_rows",
                params={f"p{number}": text for number, text in enumerate(HOSTILE)},
                reasons={f"p{number}": text for number, text in enumerate(HOSTILE)},
            ),
            Step(tool=INJECTIONS["hyperlink"], params={"masks": HOSTILE}),
        ],
        questions=[
            Question(id=text, text=text, kind="names", default=text, reason=text)
            for text in HOSTILE
        ],
    )
    console = terminal()
    render_plan(plan, console)
    sent = console.file.getvalue()  # type: ignore[attr-defined]
    check_screen(sent)
    check_markup(sent)


def test_a_run_of_injections() -> None:
    console = terminal()
    render_output(hostile_run(), console)
    sent = console.file.getvalue()  # type: ignore[attr-defined]
    check_screen(sent)
    check_markup(sent)


def hostile_run() -> RunOutput:
    return RunOutput(
        run="20260805-141503-9f2c",
        status="failed",
        notice=INJECTIONS["clipboard"],
        error=INJECTIONS["title"],
        findings=HOSTILE,
        reasons=HOSTILE,
        advice=HOSTILE,
        split=SplitOutput(
            by="time", sizes={"train": 1}, groups={"train": 1}, groups_on_two_sides=0, manifest="/m"
        ),
        verdict="leaking",
        audit=[
            AuditOutput(
                name=text, accuracy=0.9, majority=0.1, verdict="shortcut", masked=False, group=text
            )
            for text in HOSTILE
        ],
        replays=[ReplayOutput(label=text, capture=text, duplicates=1, rows=2) for text in HOSTILE],
        models=[
            ModelOutput(name=text, macro_f1=0.5, ci=(0.4, 0.6), accuracy=0.5) for text in HOSTILE
        ],
        best=INJECTIONS["carriage return"],
        detector=INJECTIONS["path"],
        report=INJECTIONS["bidi override"],
    )


class Page(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


@pytest.fixture(scope="module")
def page() -> str:
    """A report in which every class, finding, warning, reason and limit is an injection."""
    text = INJECTIONS["script"]
    values: dict[str, Any] = {
        "run": text,
        "goal": text,
        "outcome": "done",
        "spec": "\n".join(HOSTILE),
        "findings": HOSTILE,
        "limits": HOSTILE,
        "commands": HOSTILE,
        "data": d.DataCard(
            source=text,
            label=text,
            classes=[d.ClassRows(name=each, train=1, test=1) for each in HOSTILE],
            masks=HOSTILE,
            health=d.HealthSummary(
                captures=1, packets=1, bytes=1, skipped=dict.fromkeys(HOSTILE, 1)
            ),
        ),
        "audit": d.Audit(
            rows=[
                d.AuditRow(
                    field=each, group=each, accuracy=0.9, majority=0.1, verdict="shortcut",
                    masked=False,
                )
                for each in HOSTILE
            ],
            verdict="leaking",
            reasons=HOSTILE,
            duplicates=[d.Duplicates(name=each, rows=2, repeated=1) for each in HOSTILE],
        ),
    }  # fmt: skip
    return render_page(d.ReportData(**values))


def test_a_report_of_injections_can_run_and_fetch_nothing(page: str) -> None:
    parsed = Page(page)
    assert not RUNNING & {*parsed.tags}
    assert ("content", POLICY) in parsed.attributes
    for name, value in parsed.attributes:
        assert not name.startswith("on"), name
        if name in ("href", "src", "srcset"):
            assert value.startswith(("#", "data:image/")), value


def test_a_report_of_injections_shows_every_character(page: str) -> None:
    for character in page:
        assert character == "\n" or unicodedata.category(character)[0] != "C", hex(ord(character))
    assert page.count(CANARY) > 10 * len(HOSTILE) / 2, "the corpus is in it"
