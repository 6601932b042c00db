"""``netloop doctor``: whether this machine can run netloop, and what to mend if not."""

import importlib.metadata
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import typer

from agents.terminal.options import DEFAULT_WORKSPACE, Workspace

ROOMS = ("agents", "tools", "pipelines", "prompts")
PACKAGES = {
    "langgraph": (1, 2, 12),
    "langgraph-checkpoint-sqlite": (3, 0, 1),
    "langchain-openai": (1, 7),
    "openai": (3,),
    "torch": (2, 11),
    "transformers": (5, 17),
    "peft": (0, 21, 2),
    "scikit-learn": (1, 6),
    "scapy": (2, 6),
    "pyarrow": (18,),
}

Finding = tuple[bool, str, str]


def doctor(workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """Check the installation and the machine.

    Versions, shadowed names, the workspace, cores, memory and GPU; the language model's server,
    if one is configured: it is asked a few questions that hold nothing of yours.

    Example: netloop doctor
    """
    good = True
    checks = (
        _python,
        _packages,
        _shadows,
        lambda: _workspace(workspace),
        _machine,
        lambda: _model(workspace),
    )
    for check in checks:
        for fine, what, mend in check():
            good = good and fine
            sys.stdout.write(f"{'ok   ' if fine else 'FAULT'} {what}\n")
            if not fine:
                sys.stdout.write(f"      {mend}\n")
    raise typer.Exit(0 if good else 1)


def _python() -> Iterator[Finding]:
    found = sys.version_info[:3]
    yield (
        (3, 11) <= found < (3, 14),
        f"Python {'.'.join(map(str, found))}",
        "netloop works on Python 3.11 to 3.13.",
    )


def _packages() -> Iterator[Finding]:
    for name, floor in PACKAGES.items():
        mend = "Install netloop again: make setup"
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield False, f"{name} is missing", mend
            continue
        parts = tuple(int(p) for p in found.split("+")[0].split(".")[:3] if p.isdigit())
        yield (
            parts >= floor,
            f"{name} {found}",
            f"It must be {'.'.join(map(str, floor))} or newer. {mend}",
        )


def _shadows() -> Iterator[Finding]:
    """The four rooms are import names: another package of that name would hide ours."""
    home = Path(__file__).resolve().parents[2]
    for name in ROOMS:
        spec = importlib.util.find_spec(name)
        found = Path(spec.origin).resolve().parent.parent if spec and spec.origin else None
        yield (
            found == home,
            f"{name} is netloop's own",
            f"{name} is imported from {found}: install netloop in an environment of its own.",
        )


def _workspace(workspace: Path) -> Iterator[Finding]:
    place = workspace
    while not place.exists() and place != place.parent:
        place = place.parent
    what, mend = f"workspace {workspace}", "Name another with --workspace or NETLOOP_WORKSPACE."
    try:
        with tempfile.TemporaryFile(dir=place):
            yield True, f"{what} can be written", mend
    except OSError as error:
        yield False, f"{what} cannot be written: {error.strerror}", mend


def _machine() -> Iterator[Finding]:
    import torch

    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU (none is needed)"
    yield True, f"{len(os.sched_getaffinity(0))} cores, {memory:,} MB, {gpu}", ""


def _model(workspace: Path) -> Iterator[Finding]:
    """Which planner would run; a language model that is configured is tried, and remembered."""
    from agents.llm.findings import findings

    yield from findings(workspace)
