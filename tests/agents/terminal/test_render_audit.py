"""An audit on the terminal: the verdict leads, lines fit the screen, words are inert."""

from collections.abc import Callable
from typing import Any

import pytest

from agents.terminal.render_audit import render_audit

WIDTHS = pytest.mark.parametrize("width", [40, 60, 80])
HOSTILE = "\x1b[31mred\x1b[0m [bold]x[/bold] \u202egnp.exe"


def group(name: str, verdict: str, masked: bool, **more: Any) -> dict[str, Any]:
    return {
        "group": name, "masked": masked, "identifier": name == "ttl", "field": f"{name} field",
        "field_accuracy": 0.9, "tree_accuracy": 0.95, "majority": 0.5, "verdict": verdict, **more,
    }  # fmt: skip


def found(**more: Any) -> dict[str, Any]:
    return {
        "verdict": "doubtful",
        "reasons": ["12 test rows nearly repeat a training row."],
        "groups": [group("ttl", "shortcut", True), group("sizes", "strong", False)],
        "fields": [
            {"name": "ttl", "accuracy": 0.9, "majority": 0.5, "group": "ttl",
             "verdict": "shortcut", "masked": True},
        ],
        "leaks": [
            {"words": "12 test rows nearly repeat a training row.", "verdict": "doubt"},
            {"words": "0 test rows are copied.", "verdict": "none"},
        ],
        "duplicates": [
            {"label": "FTP", "duplicates": 345, "of": 345},
            {"label": "Neris", "duplicates": 0, "of": 212},
        ],
        "duplicate_of": "payload",
        "advice": ["12 test rows nearly repeat a training row.", "Mask ttl."],
        **more,
    }  # fmt: skip


STRESS = {
    "model": "random_forest",
    "macro_f1": 0.9,
    "falls": [{"name": "sizes", "macro_f1": 0.5, "fall": 0.4, "ci": [0.35, 0.45]}],
    "forged": {"groups": ["ttl"], "macro_f1": 0.9, "fall": 0.0, "moved": 0},
}
LATER = {
    "model": "random_forest",
    "later": {"macro_f1": 0.7, "ci": [0.6, 0.8]},
    "random": {"macro_f1": 0.9, "ci": [0.85, 0.95]},
    "gap": 0.2,
    "gap_ci": [0.1, 0.3],
}


@WIDTHS
def test_the_verdict_leads_and_the_table_follows(screen: Callable[..., Any], width: int) -> None:
    view = screen(width)
    render_audit(found(), view.console)
    view.check_width()
    assert view.text.startswith("The audit calls this doubtful.")
    rows = [line.split() for line in view.text.splitlines()]
    assert any(row[:1] == ["ttl"] and row[-1] == "masked" for row in rows)
    assert any(row[:1] == ["sizes"] and row[-2:] == ["see", "it"] for row in rows)
    assert ["FTP", "345", "345"] in rows
    assert "Neris" not in view.text


def test_nothing_is_said_twice_as_advice(screen: Callable[..., Any]) -> None:
    view = screen(80)
    render_audit(found(), view.console)
    assert view.words.count("nearly repeat") == 2, "as a reason, and among what training knows"
    assert "Keep in mind - Mask ttl." in view.words


@WIDTHS
def test_what_a_model_leans_on(screen: Callable[..., Any], width: int) -> None:
    view = screen(width)
    render_audit(found(stress=STRESS, later=LATER), view.console)
    view.check_width()
    assert "without sizes: macro-F1 falls by 0.400 (0.350 to 0.450) from 0.900" in view.words
    assert "not one probability moved" in view.words
    assert "a random split hides the gap: +0.200 (+0.100 to +0.300)" in view.words


def test_a_model_that_moves_in_a_forged_network_is_told(screen: Callable[..., Any]) -> None:
    forged = {"groups": ["ttl"], "macro_f1": 0.3, "fall": 0.6, "moved": 99}
    view = screen(80)
    render_audit(found(stress={**STRESS, "forged": forged}), view.console)
    assert "macro-F1 0.300, a fall of 0.600" in view.words


def test_a_clean_audit_says_so_and_advises_nothing(screen: Callable[..., Any]) -> None:
    view = screen(80)
    render_audit(found(verdict="trustworthy", reasons=[], duplicates=[], advice=[]), view.console)
    assert view.text.startswith("The audit calls this trustworthy.")
    assert "Keep in mind" not in view.text


@WIDTHS
def test_hostile_words_are_inert(screen: Callable[..., Any], width: int) -> None:
    view = screen(width)
    field = {"name": HOSTILE, "accuracy": 0.9, "majority": 0.5, "group": HOSTILE,
             "verdict": "shortcut", "masked": False}  # fmt: skip
    render_audit(
        found(
            reasons=[HOSTILE],
            groups=[group(HOSTILE, "strong", False)],
            fields=[field],
            leaks=[{"words": HOSTILE, "verdict": "leak"}],
            duplicates=[{"label": HOSTILE, "duplicates": 1, "of": 1}],
            advice=[HOSTILE + "!"],
            stress={**STRESS, "model": HOSTILE},
            later={**LATER, "model": HOSTILE},
        ),
        view.console,
    )
    view.check_width()
    assert "\x1b" not in view.text and "\u202e" not in view.text


def test_a_gap_that_may_be_none_is_not_called_one(screen: Callable[..., Any]) -> None:
    view = screen(80)
    render_audit(found(stress=STRESS, later={**LATER, "gap_ci": [-0.03, 0.4]}), view.console)
    assert "no clear gap between both: +0.200 (-0.030 to +0.400)" in view.words
    assert "hides" not in view.text


def test_groups_keep_their_names_on_a_narrow_terminal(screen: Callable[..., Any]) -> None:
    groups = [group("addresses", "shortcut", True), group("sizes", "strong", False)]
    view = screen(40)
    render_audit(found(groups=groups, stress=STRESS), view.console)
    view.check_width()
    assert "addres" in view.text and "sizes" in view.text and "0.400" in view.text
