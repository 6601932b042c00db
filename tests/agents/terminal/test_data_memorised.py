"""``netloop data memorised`` as it is typed, against models behind a server on loopback."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Command
from openai_double import OpenAIDouble, openai_double

from pipelines.augment.memorisation import KNOWS

HEAD = ["packets", "src_bytes", "gap", "rate", "service"]
Reply = Callable[[dict[str, Any]], str]


@pytest.fixture(scope="module")
def records() -> list[list[Any]]:
    """What nobody can tell from its first three columns without having seen it."""
    random = np.random.default_rng(0)
    return [
        [int(random.integers(1, 9)), number, round(float(random.normal()), 3),
         round(float(random.normal()), 3), str(random.choice(["http", "dns", "smtp", "x9"]))]
        for number in range(120)
    ]  # fmt: skip


@pytest.fixture
def spec_file(tmp_path: Path, records: list[list[Any]]) -> Path:
    table = tmp_path / "records.csv"
    lines = [",".join([*map(str, row), "bg"[n % 2]]) for n, row in enumerate(records)]
    table.write_text("\n".join([",".join([*HEAD, "kind"]), *lines]) + "\n")
    content = {
        "goal": "Tell bad records from good ones",
        "data": {"source": str(table), "label": "kind"},
        "llm_sees": "redacted",
    }
    path = tmp_path / "spec.yaml"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def memorised(netloop: Command, spec_file: Path) -> Callable[..., tuple[Any, OpenAIDouble]]:
    """The command with a model that answers by ``reply``: how it ended, and the server."""

    def ask(reply: Reply, *words: object) -> tuple[Any, OpenAIDouble]:
        with openai_double(reply) as server:
            env = {"OPENAI_BASE_URL": server.base_url, "NETLOOP_MODEL": "m"}
            return netloop("data", "memorised", spec_file, *words, env=env), server

    return ask


def shown(request: dict[str, Any]) -> list[str]:
    """The cells that a prompt shows."""
    line: str = request["messages"][1]["content"].splitlines()[2]
    return line.split(",")


def knowing(records: list[list[Any]]) -> Reply:
    """A model that has learned the table by heart."""
    rest = {str(row[1]): row[3:] for row in records}
    return lambda request: json.dumps({"cells": rest[shown(request)[1]]})


def test_a_model_that_knows_the_table_is_told(
    memorised: Any, netloop: Command, records: list[list[Any]]
) -> None:
    ended, server = memorised(knowing(records), "--rows", 12)
    assert ended.code == 0, ended.err
    words = " ".join(ended.out.split())
    assert KNOWS in words
    assert "the model 100.0%" in words
    assert "Better than the best of the others in 12 rows, worse in 0 (p = 0.000244)" in words
    assert "12 of 12 rows whose hidden half no other row has, given back whole." in words
    assert len(server.requests) == 12, "the plans of the run are the rules'"
    sent = netloop("egress", "last", "--json")
    assert len(json.loads(sent.out)) == 12


def test_a_model_that_answers_what_is_most_frequent_is_not(memorised: Any) -> None:
    ended, _ = memorised(lambda request: '{"cells": [0.0, "http"]}', "--json")
    found = json.loads(ended.out)
    assert (found["judged"], found["knows"], found["completed"]) == (20, False, 0)
    assert found["varying"] == ["rate", "service"]
    assert 0 < found["model"] < 0.35


def test_only_rows_to_train_on_are_shown(memorised: Any, records: list[list[Any]]) -> None:
    _, server = memorised(knowing(records), "--rows", 1000)
    assert 30 < len(server.requests) < 60, "half of 120 are tested, a fifth of the rest judges"
    assert all(len(shown(received.json)) == 3 for received in server.requests)


@pytest.mark.parametrize(
    ("answer", "unusable"),
    [
        ("I have never seen it.", 5),
        ('{"cells": [1.0]}', 5),
        ('{"cells": ["a", "b"]}', 0),
        ('{"cells": [{"rate": 1}]}', 5),
        ("", 5),
    ],
)
def test_nonsense_is_wrong_and_no_crash(memorised: Any, answer: str, unusable: int) -> None:
    ended, _ = memorised(lambda request: answer, "--rows", 5, "--json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert (found["model"], found["unusable"], found["knows"]) == (0.0, unusable, False)


def test_a_budget_that_ends_says_how_many_rows_were_judged(
    memorised: Any, records: list[list[Any]]
) -> None:
    ended, server = memorised(knowing(records), "--set", "budget.llm_calls=7")
    assert ended.code == 0, ended.err
    words = " ".join(ended.out.split())
    assert "7 of 20 rows judged. The budget of 7 requests to the language model is used up" in words
    assert KNOWS in words
    assert len(server.requests) == 7


def test_a_budget_of_nothing_is_a_budget_used_up(memorised: Any, records: Any) -> None:
    ended, server = memorised(knowing(records), "--set", "budget.llm_calls=0")
    assert (ended.code, len(server.requests)) == (5, 0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "llm_sees=stats"), "sees no records (llm_sees: stats)"),
        (("--set", "llm_sees=schema"), "llm_sees: redacted (or raw)"),
        (("--set", "planner=rules"), "There is no language model to ask"),
        (("--set", "data.source=/nowhere"), "/nowhere"),
        (("--rows", "4"), "greater than or equal to 5"),
    ],
)
def test_what_cannot_work_asks_nobody(memorised: Any, words: tuple[str, ...], said: str) -> None:
    ended, server = memorised(lambda request: "{}", *words)
    assert ended.code == 2
    assert said in ended.told.replace("netloop: ", "")
    assert server.requests == []


def test_without_a_model(netloop: Command, spec_file: Path, tmp_path: Path) -> None:
    ended = netloop("data", "memorised", spec_file)
    assert ended.code == 2
    assert "NETLOOP_MODEL" in ended.told
    assert not (tmp_path / ".netloop").exists(), "no run is left behind"
