"""``netloop sites`` as it is typed; the processes themselves are tested where they are made."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.deploy.compare import DeploymentStudy, compare
from tests.shared.command_line import Command, command_runner


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return command_runner(monkeypatch, capsys)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What ``compare`` is called with; the cheapest model is tried in its place."""
    calls: list[dict[str, Any]] = []

    def cheap(rows: Any, **options: Any) -> DeploymentStudy:
        calls.append(options)
        changed = {**options, "model": "majority"}
        return compare(rows, **changed)

    monkeypatch.setattr("pipelines.deploy.compare.compare", cheap)
    return calls


@pytest.mark.slow
def test_a_table_and_a_picture(
    run: Command, asked: list[dict[str, Any]], tiny_lab: Path, tmp_path: Path
) -> None:
    drawn = tmp_path / "sites.svg"
    ended = run(
        "sites", tiny_lab, "--label", "folder", "--count", 2, "--mbit", 10, "--delay", 1,
        "--picture", drawn, "--masks", "ports",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert "distributed" in ended.out
    assert "macro-F1" in ended.out
    assert drawn.read_text().startswith("<?xml")
    [options] = asked
    assert (options["link"].mbit, options["link"].delay_ms) == (10, 1)
    assert options["masks"] == ["ports"]
    assert len(options["sites"]) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--by", "colour"], "colour"),
        (["--model", "gan"], "no model 'gan'"),
        (["--count", "0"], "0"),
        (["--mbit", "-1"], "Mbit"),
    ],
)
def test_what_cannot_be(run: Command, tiny_lab: Path, words: list[str], said: str) -> None:
    ended = run("sites", tiny_lab, "--label", "folder", *words)
    assert ended.code == 2
    assert said in ended.told


def test_json(run: Command, monkeypatch: pytest.MonkeyPatch, tiny_lab: Path) -> None:
    study = DeploymentStudy.model_construct(layouts=[])
    monkeypatch.setattr("pipelines.deploy.compare.compare", lambda rows, **options: study)
    assert json.loads(run("sites", tiny_lab, "--label", "folder", "--json").out)["layouts"] == []
