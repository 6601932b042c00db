"""What the commands of the traffic language model print: whole, and never wider than the screen."""

from collections.abc import Callable
from typing import Any

import pytest

from agents.terminal import render_lm

HOSTILE = "out/[green]APPROVED[/]\x1b[2J"
WIDTHS = pytest.mark.parametrize("width", [40, 60, 80])


def spread(mean: float) -> dict[str, float]:
    return {"mean": mean, "median": mean - 1, "p95": 3 * mean}


def cost(mean: float, payload: float | None) -> dict[str, Any]:
    return {"flow": spread(4 * mean), "packet": spread(mean), "payload_bytes_a_token": payload}


TOKENS = {
    "flows": 788, "packets": 2500, "tokens": 3836, "vocabulary": 36_096, "share_of_fields": 0.1742,
    "fields": cost(136.8, 0.53), "before": cost(68.9, 0.33), "after": cost(18.1, 1.32),
    "learned_flows": 7101, "out": HOSTILE,
}  # fmt: skip
PRETRAINED = {
    "captures": 1, "flows": 12_300, "tokens": 2_181_895, "epochs": 4, "untrained_loss": 8.7181,
    "held_out_loss": 4.1239, "out": HOSTILE,
}  # fmt: skip
INSTRUCTED = {
    "rows": 8000, "flows": 1, "epochs": 6, "best_macro_f1": 0.98765, "out": HOSTILE,
}  # fmt: skip


def score(support: int) -> dict[str, float | int]:
    return {"precision": 0.5, "recall": 0.25, "f1": 0.333, "support": support}


TASKS = {
    "rows": 9209, "accuracy": 0.9512, "macro_f1": 0.9377,
    "per_task": {"MTD": score(4000), "CD": score(0), "EAC": score(5209)},
    "confusion": {
        "MTD": {"MTD": 3900, "EAC": 99, "CD": 1},
        "EAC": {"EAC": 5000, "MTD": 209},
    },
}  # fmt: skip


@WIDTHS
@pytest.mark.parametrize(
    ("render", "result"),
    [
        (render_lm.render_tokens, TOKENS),
        (render_lm.render_pretrained, PRETRAINED),
        (render_lm.render_instructed, INSTRUCTED),
        (render_lm.render_tasks, TASKS),
    ],
)
def test_nothing_is_wider_than_the_screen(
    screen: Callable[[int], Any], width: int, render: Any, result: dict[str, Any]
) -> None:
    shown = screen(width)
    render({**result, "out": "out"}, shown.console)
    assert shown.text.strip()
    shown.check_width()


@pytest.mark.parametrize(
    ("render", "result"),
    [
        (render_lm.render_tokens, TOKENS),
        (render_lm.render_pretrained, PRETRAINED),
        (render_lm.render_instructed, INSTRUCTED),
    ],
)
def test_a_folder_with_a_hostile_name_commands_no_terminal(
    screen: Callable[[int], Any], render: Any, result: dict[str, Any]
) -> None:
    shown = screen(80)
    render(result, shown.console)
    assert "base: out/[green]APPROVED[/]" in shown.text
    assert "\x1b" not in shown.text


def test_tokens_in_three_forms(screen: Callable[[int], Any]) -> None:
    shown = screen(80)
    render_lm.render_tokens(TOKENS, shown.console)
    lines = {line.split("  ")[0]: line.split() for line in shown.text.splitlines()}
    assert lines["TrafficLLM's fields"][2:] == [
        "547.2",
        "546",
        "1,642",
        "136.8",
        "136",
        "410",
        "0.5",
    ]
    assert lines["traffic text after"][3:] == ["72.4", "71", "217", "18.1", "17", "54", "1.3"]
    assert "A flow takes 17.4% of the tokens of fields." in shown.words
    assert "3,836 traffic tokens were added: the base has 36,096 tokens." in shown.words


def test_without_payload_there_is_a_dash(screen: Callable[[int], Any]) -> None:
    shown = screen(80)
    render_lm.render_tokens({**TOKENS, "before": cost(68.9, None)}, shown.console)
    (line,) = (line for line in shown.text.splitlines() if line.startswith("traffic text before"))
    assert line.split()[-1] == "-"


def test_a_loss_that_was_measured_and_one_that_was_not(screen: Callable[[int], Any]) -> None:
    measured, unknown = screen(80), screen(80)
    render_lm.render_pretrained(PRETRAINED, measured.console)
    assert "A base that learned 12,300 flows of 1 capture" in measured.words
    assert "2,181,895 tokens in 4 epochs." in measured.words
    assert "captures kept apart: 8.718 -> 4.124" in measured.words
    render_lm.render_pretrained({**PRETRAINED, "held_out_loss": None}, unknown.console)
    assert "its loss was not measured" in unknown.words


def test_a_tuned_base_says_what_it_learned(screen: Callable[[int], Any]) -> None:
    shown = screen(80)
    render_lm.render_instructed(INSTRUCTED, shown.console)
    assert "Tuned on 8,000 instructions and 1 flow" in shown.words
    assert "on the tenth kept apart: 0.988, best of 6 epochs." in shown.words
    alone = screen(80)
    render_lm.render_instructed({**INSTRUCTED, "flows": 0}, alone.console)
    assert "Tuned on 8,000 instructions Macro-F1" in alone.words


def test_tasks_that_were_asked_for_and_what_was_mistaken(screen: Callable[[int], Any]) -> None:
    shown = screen(80)
    render_lm.render_tasks(TASKS, shown.console)
    assert "accuracy 0.951, macro-F1 0.938" in shown.words
    rows = [line.split()[0] for line in shown.text.splitlines() if line[:2].isupper()]
    assert rows == ["MTD", "EAC"]
    first = shown.text.index("- MTD was named where EAC is meant: 209")
    assert first < shown.text.index("- EAC was named where MTD is meant: 99")
