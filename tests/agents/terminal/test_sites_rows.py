"""``netloop sites --augment`` as it is typed, against a model behind a server on loopback."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Command, Ended
from openai_double import USAGE, OpenAIDouble, openai_double
from rows_double import RowsDouble

from pipelines.deploy import crew
from pipelines.store.run import RunFolder

Asking = Callable[..., tuple[Ended, OpenAIDouble]]


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    """Two classes that overlap."""
    random = np.random.default_rng(0)
    return [
        {
            "bytes": round(float(number % 2 + random.normal(0, 0.6)), 4),
            "rate": round(float(random.normal()), 4),
            "kind": ("normal", "attack")[number % 2],
        }
        for number in range(8000)
    ]


@pytest.fixture
def source(tmp_path: Path, records: list[dict[str, Any]]) -> Path:
    path = tmp_path / "records.csv"
    lines = [",".join(map(str, row.values())) for row in records[:120]]
    path.write_text("\n".join([",".join(records[0]), *lines]) + "\n")
    return path


@pytest.fixture
def asking(
    netloop: Command, source: Path, records: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> Asking:
    """The command with a model that writes held-back rows; processes are threads."""
    monkeypatch.setattr(crew, "open_executor", lambda kind, workers: ThreadPoolExecutor(workers))
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # before a request is sent again
    held_back = {
        kind: [row for row in records[120:] if row["kind"] == kind] for kind in ("normal", "attack")
    }

    def ask(*words: object, **behaviour: Any) -> tuple[Ended, OpenAIDouble]:
        with openai_double(RowsDouble("perfect", held_back), **behaviour) as server:
            env = {"OPENAI_BASE_URL": server.base_url, "NETLOOP_MODEL": "m"}
            return netloop(
                "sites", source, "--label", "kind", "--count", 2, "--model", "knn",
                "--delay", 0, *words, env=env,
            ), server  # fmt: skip

    return ask


def test_figures_are_those_of_the_server(asking: Asking, netloop: Command, tmp_path: Path) -> None:
    ended, server = asking("--augment", "llm", "--amount", 2, "--json")
    assert ended.code == 0, ended.err
    study = json.loads(ended.out)
    asked = {result["layout"]: result["asked"] for result in study["layouts"]}
    assert asked["hybrid"] == asked["distributed"], "the same rows, asked for once"
    both = [asked["centralised"], asked["distributed"]]
    count = len(server.requests)
    assert sum(one["requests"] for one in both) == count > 10
    assert sum(one["tokens_in"] for one in both) == count * USAGE["prompt_tokens"]
    assert sum(one["tokens_out"] for one in both) == count * USAGE["completion_tokens"]
    left = [len(received.body) for received in server.requests]
    assert sum(one["bytes_sent"] for one in both) == sum(left)
    assert all(one["minutes"] > 0 for one in both)
    for result in study["layouts"]:
        assert result["made_rows"] == 2 * sum(site["train_rows"] for site in result["sites"])
    sites = study["layouts"][1]["sites"]
    assert sum(site["asked"]["requests"] for site in sites) == asked["distributed"]["requests"]
    [run] = RunFolder.all(tmp_path / ".netloop")
    assert f"Run {run.id}" in ended.err and run.read()["status"] == "done"
    assert [sent["bytes"] for sent in json.loads(netloop("egress", "last", "--json").out)] == left


def test_real_rows_are_shown_only_where_they_may_be(asking: Asking) -> None:
    words = ("--augment", "llm")
    _, server = asking(*words)
    assert all("\nExamples: []" in received.words for received in server.requests)
    _, server = asking(*words, "--set", "llm_sees=redacted")
    assert all("\nExamples: [[" in received.words for received in server.requests)


def test_evolved_rows_cost_three_rounds(asking: Asking) -> None:
    once, _ = asking("--augment", "llm", "--json")
    anew, _ = asking("--augment", "llm_evolved", "--json")
    requests = [json.loads(ended.out)["layouts"][1]["asked"]["requests"] for ended in (once, anew)]
    assert requests[1] > 2 * requests[0] > 9


def test_plain_rows_cost_nothing_and_make_no_run(asking: Asking, tmp_path: Path) -> None:
    ended, server = asking("--augment", "smote", "--amount", 2, "--picture", tmp_path / "a.svg")
    assert ended.code == 0, ended.err
    words = " ".join(ended.out.split())
    assert "rows by smote, 2:1 made requests tokens in tokens out to the model asking min" in words
    assert "distributed 168 0 0 0 0 B 0.00" in words
    assert server.requests == []
    assert not (tmp_path / ".netloop").exists()
    assert (tmp_path / "a.svg").exists()


@pytest.mark.parametrize("fault", ["auth", "hang_up", "server_error"])
def test_a_server_that_dies_in_the_middle(asking: Asking, tmp_path: Path, fault: str) -> None:
    ended, server = asking("--augment", "llm", modes=["ok"] * 3, default=fault)
    assert ended.code == 1
    assert "language model" in ended.told and "Traceback" not in ended.err
    assert 4 <= len(server.requests) <= 12
    [run] = RunFolder.all(tmp_path / ".netloop")
    assert run.read()["status"] == "failed"


def test_a_budget_that_ends_says_how_to_go_on(asking: Asking, tmp_path: Path) -> None:
    ended, server = asking("--augment", "llm", "--set", "budget.llm_calls=3")
    assert ended.code == 5
    assert "--set budget.llm_calls=6" in ended.told
    assert len(server.requests) == 3
    [run] = RunFolder.all(tmp_path / ".netloop")
    assert run.read()["status"] == "budget"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--augment", "gan"), "no generator 'gan'"),
        (("--augment", "llm", "--amount", "0"), "0 synthetic rows to each real one"),
        (("--augment", "smote", "--amount", "-2"), "above 0 and at most 50"),
        (("--augment", "llm", "--amount", "many"), "unable to parse string as a number"),
        (("--amount", "2"), "belong to --augment"),
        (("--set", "llm_sees=raw"), "belong to --augment"),
        (("--augment", "llm", "--set", "llm_sees=all"), "llm_sees"),
        (("--augment", "llm", "--set", "planner=rules"), "none is configured"),
        (("--augment", "llm", "--set", "llm_sees=schema"), "may see no numbers"),
    ],
)
def test_what_cannot_work_asks_nobody(asking: Asking, words: tuple[str, ...], said: str) -> None:
    ended, server = asking(*words)
    assert ended.code == 2
    assert said in ended.told.replace("netloop: ", "")
    assert server.requests == []


def test_without_a_model(netloop: Command, source: Path, tmp_path: Path) -> None:
    ended = netloop("sites", source, "--label", "kind", "--augment", "llm")
    assert ended.code == 2
    assert "NETLOOP_MODEL" in ended.told
    assert not (tmp_path / ".netloop").exists(), "no run is left behind"


def test_offline(process: Command, source: Path) -> None:
    ended = process(
        "sites", source, "--label", "kind", "--augment", "llm", "--offline",
        env={"NETLOOP_MODEL": "m", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"},
    )  # fmt: skip
    assert ended.code == 1
    assert "offline" in ended.told.lower() and "Traceback" not in ended.err
