"""Mending the labels of the released instructions, and what our own set teaches about them."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from pipelines.instructions import Instruction, instruction_set, read_instructions
from pipelines.instructions.release import relabelled

WEB = [
    "Is this web request an attack?",
    "Look for SQL injection.",
    "Are there signs of XSS in the page's answer?",
    "Do these HTTP requests climb out of the folder?",
    "Label the web requests as good or bad.",
    "Find malicious uploads.",
    "Five hundred log-ins in a minute: a brute-force attack?",
    "Was the flow begun by an attacker?",
    "Is the JavaScript in this URL harmless?",
]
APPS = [
    "Which application sent this encrypted flow?",
    "Which app does my child use?",
    "Which app made this web traffic?",
    "Name the application of this HTTPS session.",
    "The virus scanner warns: which malicious service, or which normal application?",
    "Which network type is it?",
]
APT = [
    "Is this an APT?",
    "Compare with historical traffic: are there APTs at work?",
    "Does an advanced persistent threat hide in it?",
    "Do you see lateral movement?",
    "Did one host begin many port scans?",
    "Is encrypted traffic used to attack a company?",
    "Were large amounts sent to malicious addresses in the past?",
    "Is it disguised as ordinary web traffic?",
]
DRIFT = [
    "Which app is it after the version update?",
    "Mind concept drift when you classify.",
    "Drift may come from a new version or a new way of attack: which application is it?",
    "Has the distribution shifted, maybe because of malicious traffic?",
    "Compare with historical traffic and name the application.",
]


def tasks(texts: list[str], said: str) -> list[str]:
    return [row.task for row in relabelled(Instruction(text, said) for text in texts)]


def test_web_attacks_that_say_eac_become_wad() -> None:
    assert tasks(WEB, "EAC") == ["WAD"] * len(WEB)


def test_applications_stay_eac() -> None:
    assert tasks(APPS, "EAC") == ["EAC"] * len(APPS)


def test_apt_attacks_that_say_cd_become_aad() -> None:
    assert tasks(APT, "CD") == ["AAD"] * len(APT)


def test_drift_stays_cd() -> None:
    assert tasks(DRIFT, "CD") == ["CD"] * len(DRIFT)


@pytest.mark.parametrize("said", ["MTD", "MDD", "BND", "WAD", "AAD", "NONE"])
def test_rows_of_other_labels_stay_what_they_are(said: str) -> None:
    assert set(tasks([*WEB, *APPS, *APT, *DRIFT], said)) == {said}


def test_texts_and_their_order_are_kept() -> None:
    rows = [Instruction(text, "EAC") for text in (*WEB, *APPS)]
    assert [row.text for row in relabelled(rows)] == [row.text for row in rows]


@pytest.fixture(scope="module")
def released(data: Path) -> list[Instruction]:
    path = data / "trafficllm" / "instructions_dev.jsonl"
    if not path.is_file():
        pytest.skip(f"no released instructions at {path}")
    return read_instructions(path)


def test_released_rows_are_relabelled_in_the_measure_of_their_faults(
    released: list[Instruction],
) -> None:
    moves = Counter(
        (old.task, new.task)
        for old, new in zip(released, relabelled(released), strict=True)
        if old != new
    )
    assert set(moves) == {("EAC", "WAD"), ("CD", "AAD")}
    assert moves["EAC", "WAD"] == pytest.approx(314, abs=5)
    assert moves["CD", "AAD"] == pytest.approx(290, abs=5)


def test_no_sentence_of_ours_is_a_released_one_or_nearly(released: list[Instruction]) -> None:
    runs = {run for row in released for run in runs_of(row.text)}
    ours = instruction_set()
    assert not {" ".join(words(row.text)) for row in ours} & {
        " ".join(words(row.text)) for row in released
    }
    assert [row.text for row in ours if runs & set(runs_of(row.text))] == []


def test_what_our_set_teaches_holds_for_released_instructions(
    released: list[Instruction],
) -> None:
    """Measured: 0.95; with all of the set, runs of letters and logistic regression 0.97."""
    rows = relabelled(released)
    ours = instruction_set(per_task=400)
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LinearSVC())
    model.fit([row.text for row in ours], [row.task for row in ours])
    said = model.predict([row.text for row in rows])
    truth = np.array([row.task for row in rows])
    assert (said == truth).mean() > 0.93
    assert (said == "NONE").mean() < 0.01
    # Many of the release's EAC rows name no application: "which network type is it?"
    found = {task: (said == truth)[truth == task].mean() for task in set(truth)}
    assert min(found.values()) > 0.65
    assert sorted(found, key=found.__getitem__)[0] == "EAC"


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def runs_of(text: str, length: int = 12) -> list[str]:
    """Runs of so many words; two texts that share one are near copies."""
    found = words(text)
    return [" ".join(found[at : at + length]) for at in range(len(found) - length + 1)]
