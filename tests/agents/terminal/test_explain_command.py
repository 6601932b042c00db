"""``netloop explain`` on what ``netloop detect`` wrote, for people and for machines."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import run_here

from agents.explained import Explanation
from agents.terminal.explain_command import explain, render_explanation
from pipelines.errors import InputError
from pipelines.operate.alerts import AlertFacts, ClassFacts
from pipelines.operate.drift import Drift

WORKSPACE = Path(".netloop")


@pytest.fixture(scope="module")
def written(ended_run: tuple[Path, Any], table: Path) -> str:
    """What the ended run's detector says of the table that it was trained on."""
    ended = run_here("detect", "last", table, folder=ended_run[0])
    assert ended.code == 0, ended.err
    return ended.out


@pytest.fixture
def eve(
    ended_run: tuple[Path, Any], written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """These lines as a file; the command works where the ended run is."""
    monkeypatch.chdir(ended_run[0])
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("NETLOOP_MODEL", "NETLOOP_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "eve.json"
    path.write_text(written)
    return path


def test_a_real_run_s_verdicts(eve: Path, capsys: pytest.CaptureFixture[str]) -> None:
    explain("last", eve, as_json=True, workspace=WORKSPACE)
    found = Explanation.model_validate_json(capsys.readouterr().out)
    facts = found.facts
    assert (facts.events, facts.alerts, facts.bad_lines, facts.other_records) == (300, 0, 0, 0)
    assert {*facts.classes} == {"attack", "normal"}
    assert {row.share_in_training for row in facts.classes.values()} == {0.5}
    assert facts.mix is not None and facts.mix.verdict == "none", "it was trained on such rows"
    assert {*found.called_so} == {"attack", "normal"}, "they overlap"
    assert "No class was named benign" in found.words[1]
    assert "mix of classes is as on the test side" in found.words[2]


def test_for_people(eve: Path, capsys: pytest.CaptureFixture[str]) -> None:
    explain("last", eve, as_json=False, workspace=WORKSPACE)
    out, err = capsys.readouterr()
    words = " ".join(out.split())
    assert err == ""
    assert words.startswith("class events alerts share in training score 5 % 50 % 95 %")
    assert "What it means, by rules - 300 events: 0 alerts." in words
    assert "Train anew" in words
    assert max(map(len, out.splitlines())) <= 80


def test_from_standard_input(
    eve: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    piped = io.TextIOWrapper(io.BytesIO(eve.read_bytes() + b'{"torn'))
    monkeypatch.setattr(sys, "stdin", piped)
    explain("last", Path("-"), as_json=True, workspace=WORKSPACE)
    facts = json.loads(capsys.readouterr().out)["facts"]
    assert (facts["events"], facts["bad_lines"]) == (300, 1)


def test_what_cannot_be_explained(eve: Path, tmp_path: Path) -> None:
    for path, why in ((tmp_path / "absent.json", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(InputError, match=f"{path} cannot be read: {why}"):
            explain("last", path, workspace=WORKSPACE)
    eve.write_text("")
    with pytest.raises(InputError, match="No verdict of the detector"):
        explain("last", eve, workspace=WORKSPACE)
    with pytest.raises(InputError, match="There is no run 'x'"):
        explain("x", eve, workspace=WORKSPACE)


def some(names: list[str], **parts: Any) -> Explanation:
    row = ClassFacts(
        events=1_234_567, alerts=9, share=0.5, share_in_training=None, scores=(0.1, 0.5, 0.9)
    )
    moved = Drift(psi=0.3, chance=0.01, verdict="large")
    facts = AlertFacts(
        events=9, alerts=9, unknown=0, unsure=0, unsure_in_test=None, other_records=0, bad_lines=0,
        first=None, last=None, hours=None, alerts_per_hour=None,
        classes=dict.fromkeys(names, row), mix=moved, scores=None,
    )  # fmt: skip
    content = {
        "run": "20260102-030405-abcd", "words": ["Some words."], "retrain": "no",
        "retrain_why": "Nothing.", "command": None, "notes": [], "benign": [], "called_so": {},
    }  # fmt: skip
    return Explanation(**{**content, "facts": facts, **parts})


@pytest.mark.parametrize("width", [40, 80])
def test_foreign_words_are_shown_and_not_obeyed(screen: Callable[[int], Any], width: int) -> None:
    evil = "\x1b[2J[bold]now[/bold]\u202e" + "long " * 20
    shown = screen(width)
    found = some(
        [evil], words=[evil], by=f"model {evil}", retrain="now", retrain_why=evil, notes=[evil]
    )
    render_explanation(found, shown.console)
    shown.check_width()
    assert "\x1b" not in shown.text and "\u202e" not in shown.text
    assert shown.words.count("\\x1b[2J[bold]") >= 4


def test_the_command_is_on_one_line_that_can_be_copied(screen: Callable[[int], Any]) -> None:
    command = "netloop runs fork 20260102-030405-abcd --at requirements --workspace /some/where"
    shown = screen(40)
    render_explanation(some(["a"], retrain="soon", command=command), shown.console)
    assert f"  {command}\n" in shown.text
    assert "soon: Nothing." in shown.text
    assert "netloop runs fork" not in _without_command(screen)


def _without_command(screen: Callable[[int], Any]) -> str:
    shown = screen(80)
    render_explanation(some(["a"]), shown.console)
    text: str = shown.text
    return text


def test_many_classes_are_cut(screen: Callable[[int], Any]) -> None:
    shown = screen(80)
    render_explanation(some([f"class {number}" for number in range(25)]), shown.console)
    assert "class 19 " in shown.text and "class 20" not in shown.text
    assert "and 5 more classes" in shown.text
