"""``netloop data clean``: what it shows, what it writes, and that it can be taken back."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agents.terminal.data_clean import choices, render_cleaned, render_proposals
from agents.terminal.data_commands import app
from pipelines.errors import InputError
from pipelines.store.rows import read_rows

ESCAPE = "\x1b[31m"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    lines = ["bytes,service,kind"]
    lines += [f"{place * 9 + 5},{ESCAPE}web,{'ab'[place % 2]}" for place in range(30)]
    path.write_text("\n".join([*lines, lines[3], "-4,ftp,a", "8,ftp,lone"]) + "\n")
    return path


@pytest.fixture
def clean(tmp_path: Path) -> Callable[..., Any]:
    """Run the command with --json in a workspace of its own; its result, or the error raised."""

    def run(*words: object) -> Any:
        command = ["clean", *map(str, words), "--workspace", str(tmp_path / "ws"), "--json"]
        shown = CliRunner().invoke(app, command, catch_exceptions=True)
        if shown.exception is not None:
            raise shown.exception
        return json.loads(shown.stdout)

    return run


def test_without_filters_it_shows_what_each_would_move(clean, table: Path) -> None:
    result = clean(table, "--label", "kind")
    assert {found["name"]: found["rows"] for found in result["filters"]} == {
        "small_classes": 1,
        "exact_duplicates": 1,
        "near_duplicates": 1,
        "implausible_rows": 1,
    }
    assert result["examples"]["implausible_rows"][0]["row"] == 31
    assert result["not_tried"] == ["label_errors"]


def test_there_and_back(clean, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = (table, "--label", "kind", "--filters", "small_classes, implausible_rows")
    result = clean(*words, "--set", "implausible_rows.below=0.1", "--out", out)
    assert result["moved"] == {"small_classes": 1, "implausible_rows": 1}
    assert read_rows(out / "kept").num_rows == 31
    assert read_rows(out / "quarantine").num_rows == 2
    undone = clean(out, "--undo")
    assert undone["rows"] == 33
    before = read_rows(next((tmp_path / "ws").rglob("health.json")).parent)
    assert read_rows(out / "restored").equals(before)
    (tmp_path / "again").mkdir()
    clean(out, "--undo", "--out", tmp_path / "again")
    assert read_rows(tmp_path / "again").equals(before)
    with pytest.raises(InputError, match="is there already"):
        clean(out, "--undo")


def test_nothing_is_written_over(clean, table: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is there already"):
        clean(table, "--label", "kind", "--filters", "small_classes", "--out", tmp_path)
    with pytest.raises(InputError, match="is there already"):
        clean(table, "--label", "kind", "--filters", "small_classes", "--out", table)


def test_filters_and_settings_are_read() -> None:
    assert choices("a, b,,a", ["b.x=3", "a.names=[c, d]", "b.y=0.5"]) == [
        {"name": "a", "params": {"names": ["c", "d"]}},
        {"name": "b", "params": {"x": 3, "y": 0.5}},
    ]
    assert choices(None, []) == []


@pytest.mark.parametrize(
    ("filters", "setting", "said"),
    [
        ("a", "b.x=1", "'b', which is not applied"),
        (None, "a.x=1", "'a', which is not applied"),
        ("a", "x=1", "cannot be read"),
        ("a", "a.=1", "cannot be read"),
        ("a", "a.x", "cannot be read"),
        ("a", "a.x=[", "cannot be read"),
    ],
)
def test_settings_that_cannot_be_are_told(filters, setting, said) -> None:
    with pytest.raises(InputError, match=said):
        choices(filters, [setting])


def test_undo_of_what_no_cleaning_wrote_is_an_error(clean, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no kept and quarantine"):
        clean(tmp_path, "--undo")


@pytest.mark.parametrize("words", [(), ("--filters", "")])
def test_a_place_for_nothing_is_an_error(clean, table: Path, tmp_path: Path, words) -> None:
    with pytest.raises(InputError, match="none is applied"):
        clean(table, "--label", "kind", *words, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


PROPOSED = {
    "filters": [
        {
            "name": "label_errors",
            "rows": 1234,
            "share": 0.0517,
            "classes": {f"a{ESCAPE}": 0.4, "b": 0.01},
            "precision": 0.91,
            "effect": {"macro_f1_with": 0.8123, "macro_f1_without": 0.8},
            "reason": "Models never saw it.",
            "recommended": False,
        }
    ],
    "examples": {
        "label_errors": [
            {"row": 7, "label": "a", "detail": "rather b than a", "values": {"bytes": "5"}}
        ]
    },
    "not_tried": ["near_duplicates"],
}


@pytest.mark.parametrize("width", [50, 80, 120])
def test_proposals_on_the_terminal(screen, width: int) -> None:
    view = screen(width)
    render_proposals(PROPOSED, view.console)
    for part in ("1 filter would move rows", "label_errors", "1,234", "5.2%", "look first"):
        assert part in view.words
    assert "row 7: a (rather b than a) bytes=5" in view.words
    assert "near_duplicates" in view.words and "--thorough" in view.words
    assert ESCAPE not in view.text and r"\n" not in view.text
    if width >= 80:
        assert "91%" in view.words and "0.800 -> 0.812" in view.words


def test_nothing_to_propose_is_said(screen) -> None:
    view = screen(80)
    render_proposals({"filters": [], "examples": {}, "not_tried": []}, view.console)
    assert view.words == "No filter would move a row."


def test_the_way_back_is_told_where_there_is_one(screen, tmp_path: Path) -> None:
    told = {"rows": 5, "quarantined": 2, "moved": {"few_packets": 2}}
    places = {name: str(tmp_path / name) for name in ("kept", "quarantine")}
    view = screen(80)
    render_cleaned({**told, **places}, view.console)
    assert "5 rows kept, 2 set aside" in view.words and "--undo" in view.words
    view = screen(80)
    render_cleaned({**told, "kept": "/store/ab12", "quarantine": "/store/cd34"}, view.console)
    assert "--undo" not in view.words
