"""``netloop data features`` as it is typed."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.shared.command_line import Command, command_runner

RATIO = "ratio(sent, received)"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return command_runner(monkeypatch, capsys)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """The class is whether more was sent than received; amounts span six orders."""
    random, path = np.random.default_rng(0), tmp_path / "records.csv"
    lines = []
    for _ in range(600):
        received, more = 10 ** random.uniform(0, 6), random.random() < 0.5
        sent = received * (1.3 if more else 0.77) * random.uniform(0.9, 1.1)
        lines.append(f"{sent},{received},{random.random()},{'up' if more else 'down'}")
    path.write_text("\n".join(["sent,received,noise,kind", *lines]) + "\n")
    return path


def test_what_helps_is_kept_and_noise_is_not(run: Command, table: Path) -> None:
    ended = run(
        "data", "features", table, RATIO, "log(noise)", "--label", "kind",
        "--model", "logistic_regression", "--json",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert [outcome["verdict"] == "kept" for outcome in found["outcomes"]] == [True, False]
    assert found["macro_f1_with"] > found["macro_f1_without"] + 0.1


def test_a_table_for_a_person(run: Command, table: Path) -> None:
    ended = run(
        "data", "features", table, RATIO, "--label", "kind", "--model", "logistic_regression"
    )
    words = " ".join(ended.out.split())
    assert "feature verdict gain interval" in words
    assert f"{RATIO} kept +0." in words
    assert "60 validation rows, which chose: macro-F1 0.866 without and 1.000 with" in words
    assert max(map(len, ended.out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ratoi(sent, received)"], "Did you mean ratio?"),
        (["__import__('os')"], "no function"),
        ([RATIO, "--model", "cnn"], "not tried on 'cnn'"),
        ([RATIO, "--repeats", "0"], "at least one fit"),
    ],
)
def test_what_cannot_be(run: Command, table: Path, words: list[str], said: str) -> None:
    ended = run("data", "features", table, *words, "--label", "kind")
    assert ended.code == 2
    assert said in ended.told
