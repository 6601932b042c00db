"""``netloop policy``: what rules mean and would decide, and those that are remembered here."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.terminal.options import DEFAULT_WORKSPACE, Json, Workspace
from pipelines.errors import InputError, NetloopError

if TYPE_CHECKING:
    from rich.console import Console

    from agents.checkpoints import Plan
    from agents.policy import Policy

app = typer.Typer(
    help="Rules that answer plans: list, check, take back.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_rules(as_json: Json = False, workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """The rules that "always" and "never" have left in the workspace.

    They answer plans before you are asked.

    Example: netloop policy list
    """
    from agents.policy import in_words, remembered

    policy = remembered(workspace)
    rules = policy.rules if policy else []
    if as_json:
        entries = [
            {
                "number": number,
                "words": in_words(rule),
                **rule.model_dump(mode="json", by_alias=True),
            }
            for number, rule in enumerate(rules, start=1)
        ]
        sys.stdout.write(json.dumps(entries) + "\n")
        return
    render_remembered(policy, _console())


@app.command()
def revoke(
    number: Annotated[int, typer.Argument(metavar="N", help="The rule's number in the list.")],
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Forget a rule; what it decided before stays decided.

    Example: netloop policy revoke 2
    """
    from agents.policy import revoke as forget
    from agents.terminal.tables import say

    say(_console(), f"Forgotten: {forget(workspace, number)}")


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The policy, a YAML file.")],
    run: Annotated[
        str | None, typer.Option("--run", help="A run's id, or last: try it on the waiting plan.")
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Read a policy and say what each rule means; decides nothing.

    Example: netloop policy check examples/policy.yaml --run last
    """
    policy = _read(file, workspace)
    plan = None if run is None else _waiting(run, workspace)
    console = _console()
    render_policy(policy, console)
    if plan is not None:
        render_rulings(policy, plan, console)


def render_remembered(policy: "Policy | None", console: "Console") -> None:
    """What the workspace remembers and how to take a rule back."""
    from agents.terminal.tables import say

    if policy is None:
        say(console, "No rules are remembered here: you are asked about every plan.")
        return
    render_policy(policy, console)
    say(console, "Take one back: netloop policy revoke N")


def render_policy(policy: "Policy", console: "Console") -> None:
    """Each rule in words, when and why it was remembered, and what holds where none matches."""
    from agents.policy import in_words
    from agents.terminal.tables import say

    for number, rule in enumerate(policy.rules, start=1):
        say(console, f"{number}. {in_words(rule)}")
        told = [f"added {rule.added}"] if rule.added else []
        told += [rule.why] if rule.why else []
        if told:
            say(console, ": ".join(told), "dim", indent=3)
    console.print()
    rest = {
        "refuse": "A step that none matches is refused, and the run ends.",
        "ask": "About a step that none matches you are asked.",
    }[policy.unmatched]
    say(console, f"The first that matches a step decides it. {rest}")


def render_rulings(policy: "Policy", plan: "Plan", console: "Console") -> None:
    """What the policy would decide on a plan, step by step and in all."""
    from agents.terminal.tables import say, title

    title(console, f"The {plan.stage} plan, version {plan.version}")
    for ruling in policy.rulings(plan):
        style = {"approve": "green", "ask": "yellow", "refuse": "red"}[ruling.verdict]
        say(console, f"{ruling.step}: {ruling.verdict}", style, indent=2)
        say(console, ruling.words, "dim", indent=4)
    console.print()
    say(console, _outcome(policy, plan), "bold")


def _read(file: Path, workspace: Path) -> "Policy":
    """The policy of a file; of the workspace's own one that takes part before a person is asked."""
    from agents.policy import load_policy, path_of, remembered

    if not file.is_file():
        raise InputError(f"There is no policy file {file}.", "Example: examples/policy.yaml")
    if file.resolve() == path_of(workspace).resolve() and (own := remembered(workspace)):
        return own
    return load_policy(file)


def _outcome(policy: "Policy", plan: "Plan") -> str:
    if plan.failure:
        return f"Only a person goes on from here, whatever a policy says: {plan.failure}"
    decision = policy.decide(plan)
    if decision is None:
        return "A person would be asked; without a terminal the run pauses."
    return {
        "approve": "The plan would be approved.",
        "abort": "The plan would be refused, and the run would end.",
    }[decision.action]


def _waiting(run: str, workspace: Path) -> "Plan":
    """The plan that a run waits with. Raises NetloopError if none does."""
    from agents.life_cycle import opened
    from agents.terminal.runs_commands import find_run

    folder = find_run(run, workspace)
    with opened(folder, workspace) as life_cycle:
        plan = life_cycle.pending()
    if plan is None:
        raise NetloopError(
            f"Run {folder.id} has no plan that waits.", f"See: netloop runs show {folder.id}"
        )
    return plan


def _console() -> "Console":
    from rich.console import Console

    return Console(markup=False, highlight=False)
