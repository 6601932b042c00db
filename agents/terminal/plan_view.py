"""A plan as a person sees it before deciding: what runs, why, at what price, what changed."""

from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from agents.checkpoints import DEFAULT_REASON, STAGES, Plan, Question, Step, step_names
from agents.policy import risk_of
from agents.terminal.sanitize import safe_text
from agents.terminal.tables import say, title
from pipelines.errors import InputError
from pipelines.models.cnn.architecture import Architecture
from pipelines.models.cnn.shipped import in_words
from pipelines.store.artifacts import DIGEST
from pipelines.store.files import canonical_json
from pipelines.words import counted
from tools.calls import check_params
from tools.registry import TOOLS
from tools.spec import Estimate, Risk, ToolSpec

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
    for note in plan.notes:
        say(console, note, "yellow")
    print_changes(plan, console)
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
    return max((risk_of(step) for step in plan.steps), key=RISKS.index, default="read")


def shown(value: Any) -> str:
    """A parameter's value in words: lists with commas, nothing as ``none``, a network or an
    artefact's name in brief."""
    if isinstance(value, dict) and value.keys() == Architecture.model_fields.keys():
        return in_words(Architecture.model_validate(value))
    if value is None or value == {}:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(shown(each) for each in value) or "none"
    if not isinstance(value, str):
        return canonical_json(value)
    return value[:12] if DIGEST.fullmatch(value) else value


def print_changes(plan: Plan, console: Console) -> None:
    """What differs from the version before, and from what the rules would propose."""
    if plan.version > 1:
        title(console, f"Changed since version {plan.version - 1}")
        _print_lines(plan.changes, console)
        if not plan.changes:
            say(console, "nothing that would run", indent=2)
    if plan.against_default:
        title(console, "Other than the rules would propose")
        _print_lines(plan.against_default, console)


def _print_lines(changes: list[str], console: Console) -> None:
    for line in changes:
        broken = line.replace('","', '", "')  # a list can wrap between its values
        say(console, broken, _CHANGE_STYLES.get(line[:1], ""), indent=2)


def _print_step(name: str, step: Step, console: Console) -> None:
    tool = TOOLS.get(step.tool)
    console.print()
    console.print(
        Text.assemble(safe_text(name, "bold cyan"), "  ", Text(tool.summary if tool else "", "dim"))
    )
    _print_parameters(step, console)
    if defaults := _defaults(step):
        say(console, f"by default: {defaults}", "dim", indent=2)
    if tool is not None and (moved := _moved(tool, step)):
        say(console, moved, "dim", indent=2)
    words, style = RISK_WORDS[risk_of(step)]
    price = Text.assemble(_price(step.estimate), "; ", (words, style))
    console.print(Padding(price, (0, 0, 0, 2)))


def _moved(tool: ToolSpec[Any], step: Step) -> str:
    """``reads 50 files; leaves rows``: files outside and artefacts, optional ones left out."""
    reads = [_called(name) for name in tool.needs if not name.endswith("?")]
    try:
        outside = len(tool.reads(check_params(tool, step.params)))
    except InputError:  # a source that has gone: running the step will say so
        outside = 0
    reads = [*([counted(outside, "file")] if outside else []), *reads]
    chosen = [name for name in tool.makes if name == step.params.get("name")]
    leaves = [_called(name) for name in chosen or tool.makes]
    sides = [("reads", reads), ("leaves", leaves)]
    return "; ".join(f"{verb} {', '.join(names)}" for verb, names in sides if names)


def _called(name: str) -> str:
    """An artefact's name in words: ``model/`` stands for all models."""
    return f"{name.removesuffix('/')}s" if name.endswith("/") else name


def _print_parameters(step: Step, console: Console) -> None:
    """Each parameter with its value and its reason: side by side, or on a narrow screen below."""
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(overflow="fold", max_width=26)
    grid.add_column(overflow="fold", ratio=2)
    grid.add_column(overflow="fold", ratio=3)
    for name, value in step.params.items():
        reason = step.reasons.get(name, "")
        if reason == DEFAULT_REASON:
            continue
        if console.width < NARROW:
            say(console, f"{name}  {shown(value)}", "bold", indent=2)
            say(console, reason, "dim", indent=4)
            continue
        cells = [safe_text(f"  {name}"), safe_text(shown(value), "bold", limit=600)]
        grid.add_row(*cells, safe_text(reason, "dim", limit=600))
    if grid.rows:
        console.print(grid)


def _defaults(step: Step) -> str:
    """What nobody has chosen, on one line: it is part of what is approved too."""
    names = [name for name in step.params if step.reasons.get(name) == DEFAULT_REASON]
    return ", ".join(f"{name} {shown(step.params[name])}" for name in names)


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
    asked = "".join(f", {part}" for part in _asked([step.estimate for step in plan.steps]))
    total = f"In all {duration(plan.minutes())}, up to {memory:,} MB{asked}; "
    console.print(Text.assemble((total, "bold"), (words, style)))


def _price(estimate: Estimate) -> str:
    """``7,129 rows, about 4 min, 900 MB (measured last time)``"""
    rows = [] if estimate.rows is None else [counted(estimate.rows, "row")]
    basis = "measured last time" if estimate.measured else "a first guess"
    price = [*rows, duration(estimate.minutes), f"{estimate.memory_mb:,} MB", *_asked([estimate])]
    return f"{', '.join(price)} ({basis})"


def _asked(estimates: list[Estimate]) -> list[str]:
    """What a language model's server would be asked for: ``12 LLM calls, 9,000 tokens, $0.02``."""
    calls = sum(estimate.llm_calls for estimate in estimates)
    tokens = sum(estimate.tokens for estimate in estimates)
    money = sum(estimate.money for estimate in estimates)
    words = [counted(calls, "LLM call")] if calls else []
    words += [counted(tokens, "token")] if tokens else []
    return [*words, f"${money:,.4f}"] if money else words


def duration(minutes: float) -> str:
    """Minutes as a person says them: ``under a second``, ``about 20 s``, ``about 1 h 5 min``."""
    seconds = minutes * 60
    if seconds < 1:
        return "under a second"
    if seconds < 90:
        return f"about {seconds:.0f} s"
    hours, rest = divmod(round(minutes), 60)
    return f"about {hours} h {rest} min" if hours else f"about {rest} min"
