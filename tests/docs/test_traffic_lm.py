"""The page of the traffic language model: its commands and names are those of the code."""

import re
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from agents.terminal.app import app

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs" / "traffic-lm.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"```\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
    if not line.startswith("vllm ")
]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_parses(line: str) -> None:
    """Click takes each word of it; nothing is run."""
    words = line.partition(" > ")[0].split()
    start = words.index("netloop") if "netloop" in words else words.index("agents.terminal.app")
    command, rest = get_command(app), words[start + 1 :]
    context = typer.Context(command, info_name="netloop")
    while commands := getattr(command, "commands", None):
        command = commands[rest.pop(0)]
        context = typer.Context(command, parent=context)
    command.parse_args(context, rest)
    assert set(context.params) >= {"as_json"} or command.name == "detect"


def test_the_page_shows_every_new_command() -> None:
    shown = " ".join(COMMANDS)
    for group in ("tune", "tokenizer"):
        for name in get_command(app).commands[group].commands:
            assert f"{group} {name}" in shown


def test_every_method_and_control_is_explained() -> None:
    from typing import get_args

    from pipelines.models.registry import MODELS
    from pipelines.models.traffic_lm.settings import TrafficLmSettings

    for method in get_args(TrafficLmSettings.model_fields["method"].annotation):
        assert f"| `{method}` |" in PAGE
    for name in MODELS:
        if name.startswith("traffic_lm_"):
            assert f"| `{name}` |" in PAGE


def test_the_prompt_is_the_one_that_models_are_tuned_with() -> None:
    from pipelines.models.traffic_lm.vocabulary import ANSWER, LABELS, TRAFFIC, task_token

    assert f"`{task_token('MTD')}{TRAFFIC}` and the text and `{ANSWER}`" in PAGE
    assert f"`{LABELS[0]}`" in PAGE
    assert f"{len(LABELS)} classes have tokens of their own" in PAGE


def test_the_text_on_the_page_is_traffic_text() -> None:
    from pipelines.represent.traffic_text import parse_text

    (text,) = (line.strip() for line in PAGE.splitlines() if line.startswith("    tcp4"))
    assert str(parse_text(text)) == text


def test_the_page_fits_on_two_pages() -> None:
    assert len(PAGE.split()) < 1500
