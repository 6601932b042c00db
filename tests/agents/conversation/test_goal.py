"""Goals: which ones are about traffic, and what is said of those that are not."""

import pytest

from agents.conversation import goal
from agents.conversation.goal import doubt_about, is_plain, kinds_of_detection, task_of


@pytest.mark.parametrize(
    "text",
    [
        "find machines in these captures that talk to malware C2",
        "tell attacks from normal records",
        "find scans",
        "classify VPN traffic",
        "detect generated domains (DGA)",
        "Finde infizierte Rechner in diesen Mitschnitten",
        "Trouve les botnets dans ces captures",
        "detectar tráfico de botnet",
        "检测恶意软件流量",
        "найди атаки в трафике",
    ],
)
def test_the_words_alone_say_that_it_is_about_traffic(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(goal, "task_of", None)  # the model is not even asked
    assert is_plain(text)
    assert doubt_about(text) == ""


@pytest.mark.parametrize(
    "text", ["bake a cake", "Backe einen Kuchen", "fais un gâteau", "做一个蛋糕", "hello", "x"]
)
def test_what_is_about_something_else_is_doubted(text: str) -> None:
    assert not is_plain(text)
    assert doubt_about(text) == "I cannot see which traffic that would tell apart."


@pytest.mark.parametrize("text", ["generate botnet traffic", "Generate flows of a VPN user"])
def test_making_traffic_is_no_detection(text: str) -> None:
    assert "asks for traffic to be made" in doubt_about(text)


@pytest.mark.parametrize(
    "text", ["quels sites ont été visités ?", "tell chat from mail", "catch the intruder"]
)
def test_the_model_knows_what_the_words_do_not_say(text: str) -> None:
    assert not is_plain(text)
    assert doubt_about(text) == ""


def test_a_task_has_a_code_and_a_chance() -> None:
    found = task_of("Which botnet is behind this traffic?")
    assert found is not None
    assert found[0] == "BND"
    assert 0.8 < found[1] <= 1


def test_without_the_model_nothing_is_doubted(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    absent = tmp_path_factory.mktemp("nano") / "model.safetensors"
    monkeypatch.setattr(goal, "_weights", lambda: absent)
    assert task_of("bake a cake") is None
    assert doubt_about("bake a cake") == ""


def test_the_kinds_that_there_are() -> None:
    codes = [task.code for task in kinds_of_detection()]
    assert len(codes) == 10
    assert "BND" in codes and "MTG" not in codes
