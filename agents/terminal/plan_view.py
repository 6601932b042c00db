"""A plan as a person sees it before deciding: what runs, why, at what price, what changed."""

from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from agents.checkpoints import STAGES, Plan, Question, Step, step_names
from agents.terminal.sanitize import safe_text
from agents.terminal.tables import say, title
from pipelines.store.files import canonical_json
from tools.registry import TOOLS
from tools.spec import Estimate, Risk

# Below this width a parameter's reason stands under its value, not beside it.
NARROW = 60

RISK_WORDS: dict[Risk, tuple[str, str]] = {
    "read": ("only reads", "green"),
    "write": ("writes into the run's folder", "cyan"),
    "train": ("trains models, writes into the run's folder", "cyan"),
    "deploy": ("acts outside the run's folder", "bold red"),
}
RISKS: tuple[Risk, ...] = ("read", "write", "train", "deploy")
_CHANGE_STYLES = {"+": "green", "-": "red", "~": "yellow"}


def render_plan(plan: Plan, console: Console) -> None:
    """Print the whole plan: stage, summary, changes, steps, price, questions."""
    number = STAGES.index(plan.stage) + 1
    heading = f"Stage {number}/{len(STAGES)}: {plan.stage}, version {plan.version}"
    console.print()
    console.print(Rule(Text(heading, "bold"), align="left", style="dim"))
    say(console, plan.summary)
    say(console, f"proposed by {plan.planner}", "dim")
    if plan.gate:
        say(console, f"The audit stopped the version before: {plan.gate}", "red")
    elif plan.failure:
        say(console, f"The version before failed: {plan.failure}", "red")
    _print_changes(plan, console)
    for name, step in zip(step_names(plan.steps), plan.steps, strict=True):
        _print_step(name, step, console)
    if plan.questions:
        title(console, "Questions (asked when you approve; Enter keeps the default)")
        for question in plan.questions:
            _print_question(question, console)
    console.print()
    _print_price(plan, console)


def highest_risk(plan: Plan) -> Risk:
    """The gravest risk among the steps of a plan; ``read`` if it has none."""
    return max((step.risk for step in plan.steps), key=RISKS.index, default="read")


def shown(value: Any) -> str:
    """A parameter's value in words: lists with commas, nothing as ``none``."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(shown(each) for each in value) or "none"
    return value if isinstance(value, str) else canonical_json(value)


def _print_changes(plan: Plan, console: Console) -> None:
    if plan.version == 1:
        return
    title(console, f"Changed since version {plan.version - 1}")
    for line in plan.changes:
        broken = line.replace('","', '", "')  # a list can wrap between its values
        say(console, broken, _CHANGE_STYLES.get(line[:1], ""), indent=2)
    if not plan.changes:
        say(console, "nothing that would run", indent=2)


def _print_step(name: str, step: Step, console: Console) -> None:
    tool = TOOLS.get(step.tool)
    console.print()
    console.print(
        Text.assemble(safe_text(name, "bold cyan"), "  ", Text(tool.summary if tool else "", "dim"))
    )
    console.print(_parameters(step, narrow=console.width < NARROW))
    words, style = RISK_WORDS[step.risk]
    price = Text.assemble(_price(step.estimate), "; ", (words, style))
    console.print(Padding(price, (0, 0, 0, 2)))


def _parameters(step: Step, narrow: bool) -> Table:
    """Each parameter with its value and its reason: side by side, or on a narrow screen below."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(overflow="fold", max_width=14 if narrow else 26)
    grid.add_column(overflow="fold", ratio=2)
    if not narrow:
        grid.add_column(overflow="fold", ratio=3)
    grid.expand = True
    for name, value in step.params.items():
        cells = [safe_text(f"  {name}"), safe_text(shown(value), "bold", limit=600)]
        reason = safe_text(step.reasons.get(name, ""), "dim", limit=600)
        if not narrow:
            grid.add_row(*cells, reason)
            continue
        grid.add_row(*cells)
        if reason:
            grid.add_row("", reason)
    return grid


def _print_question(question: Question, console: Console) -> None:
    say(console, f"{question.text} [{question.default}]", indent=2)
    if question.reason:
        say(console, question.reason, "dim", indent=4)


def _print_price(plan: Plan, console: Console) -> None:
    if not plan.steps:
        say(console, "Nothing would run.", "bold")
        return
    memory = max(step.estimate.memory_mb for step in plan.steps)
    words, style = RISK_WORDS[highest_risk(plan)]
    total = f"In all {duration(plan.minutes())}, up to {memory:,} MB; "
    console.print(Text.assemble((total, "bold"), (words, style)))


def _price(estimate: Estimate) -> str:
    """``7,129 rows, about 4 min, 900 MB (measured here)``"""
    rows = [] if estimate.rows is None else [f"{estimate.rows:,} rows"]
    basis = "measured here" if estimate.measured else "a first guess"
    price = [*rows, duration(estimate.minutes), f"{estimate.memory_mb:,} MB"]
    return f"{', '.join(price)} ({basis})"


def duration(minutes: float) -> str:
    """Minutes as a person says them: ``under a second``, ``about 20 s``, ``about 1 h 5 min``."""
    seconds = minutes * 60
    if seconds < 1:
        return "under a second"
    if seconds < 90:
        return f"about {seconds:.0f} s"
    hours, rest = divmod(round(minutes), 60)
    return f"about {hours} h {rest} min" if hours else f"about {rest} min"
