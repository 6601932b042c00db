"""``--budget`` takes a run up that had spent what it might; ``--offline`` keeps a run to itself."""

import json
from pathlib import Path

import pytest
import yaml
from command_line import Command
from openai_double import openai_double
from planner_double import PlannerDouble


@pytest.fixture
def study(tmp_path: Path, table: Path) -> Path:
    """A spec over the small table, with the two quickest models."""
    content = {
        "goal": "Tell attacks from normal records",
        "data": {"source": str(table), "label": "kind"},
        "design": {"candidates": ["majority", "lookup"]},
    }
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_spent_budget_says_how_to_go_on_and_does(netloop: Command, study: Path) -> None:
    words = ("run", study, "--approve", "auto", "--set", "budget.minutes=0.0000001")
    ended = netloop(*words)
    assert ended.code == 5
    assert "minutes is used up. Allow more: netloop runs resume" in ended.told.replace(
        "netloop: ", ""
    ).replace("The budget of 1e-07 ", "")
    resumed = netloop("runs", "resume", "last", "--budget", "minutes=60", "--json")
    assert (resumed.code, json.loads(resumed.out)["status"]) == (0, "done")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("minutes", "is not what=limit"),
        ("hours=3", "No budget is called 'hours'"),
        ("minutes=-1", "budget.minutes: a new limit is a number above 0"),
        ("minutes=", "a number above 0"),
        ("minutes=yes", "a number above 0"),
        ("minutes=1e999", "a number above 0"),
        ("llm_calls=many", "budget.llm_calls"),
    ],
)
def test_budgets_that_cannot_be(netloop: Command, study: Path, change: str, complaint: str) -> None:
    assert netloop("run", study).code == 3
    ended = netloop("runs", "resume", "last", "--budget", change)
    assert (ended.code, ended.out) == (2, "")
    assert complaint in ended.told


def test_offline_asks_nobody_and_goes_on_by_rules(process: Command, study: Path) -> None:
    """The hook stays for as long as its process, so it is a process of its own."""
    with openai_double(PlannerDouble()) as server:
        env = {"OPENAI_BASE_URL": server.base_url, "NETLOOP_MODEL": "m"}
        ended = process("run", study, "--approve", "auto", "--offline", "--json", env=env)
        assert server.requests == []
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["status"] == "done"
    egress = process("egress", "last")
    assert egress.out == "Nothing left this machine.\n"


def test_what_left_is_what_the_server_received(process: Command, study: Path) -> None:
    with openai_double(PlannerDouble(), key="sk-canary-77") as server:
        env = {
            "OPENAI_BASE_URL": server.base_url,
            "NETLOOP_MODEL": "m",
            "OPENAI_API_KEY": "sk-canary-77",
        }
        ended = process("run", study, "--approve", "auto", env=env)
        assert ended.code == 0, ended.err
        sent = json.loads(process("egress", "last", "--json").out)
        assert [one["body"].encode() for one in sent] == [r.body for r in server.requests]
    assert "sk-canary" not in ended.out + ended.err + json.dumps(sent)
