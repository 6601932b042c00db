"""The list of tools: one registry, one table, one schema each."""

import re
from pathlib import Path
from typing import get_args

import pytest

from pipelines.errors import InputError
from pipelines.store.artifacts import ArtifactStore
from tools.registry import TOOLS, find_tool, langchain_tools
from tools.spec import Params, Risk, ToolContext, ToolSpec

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| (.+) \|$", re.MULTILINE)


def test_the_readme_lists_every_tool_as_it_is() -> None:
    table = README.split("<!-- tools:")[1].split("<!-- end of tools -->")[0]
    assert ROW.findall(table) == [(t.name, t.risk, t.summary) for t in TOOLS.values()]


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)
def test_every_tool_is_well_formed(tool: ToolSpec[Params]) -> None:
    assert TOOLS[tool.name] is tool
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", tool.name)
    assert tool.risk in get_args(Risk)
    assert tool.version >= 1
    assert tool.summary[0].isupper()
    assert not tool.summary.endswith(".")


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)
def test_parameters_have_a_closed_json_schema(tool: ToolSpec[Params]) -> None:
    schema = tool.params.model_json_schema()
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert all(
        part.get("type") or part.get("anyOf") or part.get("enum")
        for part in schema.get("properties", {}).values()
    )


def test_what_a_tool_needs_some_tool_makes() -> None:
    made = {name for tool in TOOLS.values() for name in tool.makes}
    needed = {need.rstrip("?") for tool in TOOLS.values() for need in tool.needs}
    assert needed <= made | {"model/"}


def test_an_unknown_tool_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean train_cnn"):
        find_tool("train_cn")


def test_a_chat_model_is_given_only_tools_that_read(tmp_path: Path) -> None:
    given = langchain_tools(ToolContext(ArtifactStore(tmp_path)))
    assert {tool.name for tool in given} == {t.name for t in TOOLS.values() if t.risk == "read"}
    assert all(TOOLS[tool.name].risk == "read" for tool in given)


def test_the_test_side_is_not_handed_to_a_chat_model(tmp_path: Path) -> None:
    """It is read once, from an approved plan, after everything has been chosen."""
    given = langchain_tools(ToolContext(ArtifactStore(tmp_path)))
    assert "evaluate_models" not in {tool.name for tool in given}


def test_a_langchain_tool_runs_the_tool_itself(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,kind\n1,a\n2,b\n")
    tools = {tool.name: tool for tool in langchain_tools(ToolContext(ArtifactStore(tmp_path)))}
    found = tools["inspect_source"].invoke({"source": str(tmp_path / "a.csv"), "label": "kind"})
    assert (found["layout"], found["label"]) == ("table", "kind")


def test_a_langchain_tool_refuses_unknown_parameters(tmp_path: Path) -> None:
    tools = {tool.name: tool for tool in langchain_tools(ToolContext(ArtifactStore(tmp_path)))}
    with pytest.raises(ValueError, match="Extra inputs"):
        tools["inspect_source"].invoke({"source": "x", "shell": "rm -rf /"})
