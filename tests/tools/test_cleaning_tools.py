"""The tools of cleaning: what is proposed, what is moved, and what a planner is not told."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.cleaning.quarantine import PLACE, REASON, restore
from pipelines.errors import InputError
from pipelines.store.artifacts import ArtifactStore
from pipelines.store.rows import read_rows
from tools.calls import call, check_params, estimate
from tools.cleaning import CLEAN_ROWS, PROPOSE_FILTERS
from tools.registry import find_tool, langchain_tools
from tools.spec import ToolContext, ToolResult

# What single rows hold, and what no planner may read.
SECRETS = ("sekret-service", "hidden-host")


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    """Rows of a small table: one repeated, one impossible, one class of one row."""
    lines = ["bytes,service,src_ip,kind"]
    lines += [
        f"{place * 10 + 5},sekret-service,hidden-host,{'ab'[place % 2]}" for place in range(40)
    ]
    lines += [lines[1], "-7,sekret-service,hidden-host,a", "3,other,hidden-host,lone"]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(lines) + "\n")
    context = ToolContext(ArtifactStore(tmp_path / "artifacts"))
    imported = find_tool("import_rows").run(
        check_params(find_tool("import_rows"), {"source": str(table), "label": "kind"}), context
    )
    return ToolContext(context.store, inputs=imported.artifacts)


def propose(context: ToolContext, **params: Any) -> ToolResult:
    return PROPOSE_FILTERS.run(check_params(PROPOSE_FILTERS, params), context)


def clean(context: ToolContext, *filters: Any) -> ToolResult:
    return CLEAN_ROWS.run(check_params(CLEAN_ROWS, {"filters": list(filters)}), context)


def test_proposals_have_counts_shares_and_reasons(context: ToolContext) -> None:
    numbers = propose(context).numbers
    found = {one["name"]: one for one in numbers["filters"]}
    assert {name: one["rows"] for name, one in found.items()} == {
        "small_classes": 1,
        "exact_duplicates": 1,
        "near_duplicates": 1,
        "implausible_rows": 1,
    }
    assert found["small_classes"]["classes"] == {"lone": 1.0}
    assert found["implausible_rows"]["share"] == pytest.approx(1 / 43, abs=1e-4)
    assert {name for name, one in found.items() if one["recommended"]} == {
        "small_classes",
        "exact_duplicates",
    }
    assert numbers["not_tried"] == ["label_errors"]
    assert numbers["kind"] == "table"


def test_examples_lie_in_an_artefact_and_in_no_number(context: ToolContext) -> None:
    result = propose(context)
    said = json.dumps(result.numbers)
    assert not any(secret in said for secret in SECRETS)
    folder = context.store.path(result.artifacts["filter_examples"])
    shown = json.loads((folder / "examples.json").read_text())
    assert shown["implausible_rows"] == [
        {
            "row": 41,
            "label": "a",
            "detail": "bytes is negative",
            "values": {"bytes": "-7", "service": "sekret-service"},
        }
    ]
    assert "hidden-host" not in json.dumps(shown), "identifiers are masked from people too"


def test_a_chat_model_is_told_no_example(context: ToolContext) -> None:
    tools = {tool.name: tool for tool in langchain_tools(context)}
    said = json.dumps(tools["propose_filters"].invoke({"group": "flow"}))
    assert not any(secret in said for secret in SECRETS)


@pytest.mark.usefixtures("small_forests")
def test_a_thorough_look_tries_everything_and_measures(context: ToolContext) -> None:
    numbers = propose(context, thorough=True).numbers
    assert numbers["not_tried"] == []
    effect = next(f["effect"] for f in numbers["filters"] if f["name"] == "exact_duplicates")
    assert set(effect) == {"macro_f1_with", "macro_f1_without"}


def test_plain_names_and_parameters_go_together(context: ToolContext) -> None:
    result = clean(context, "small_classes", {"name": "implausible_rows", "params": {"below": 0.1}})
    assert result.numbers["moved"] == {"small_classes": 1, "implausible_rows": 1}
    assert (result.numbers["rows"], result.numbers["quarantined"]) == (41, 2)
    away = read_rows(context.store.path(result.artifacts["quarantine"]))
    assert list(zip(away[PLACE].to_pylist(), away[REASON].to_pylist(), strict=True)) == [
        (41, "implausible_rows"),
        (42, "small_classes"),
    ]
    kept = read_rows(context.store.path(result.artifacts["clean_rows"]))
    assert restore(kept, away).equals(read_rows(context.artifact("rows")))


def test_a_filter_that_moves_nothing_is_no_error(context: ToolContext) -> None:
    assert clean(context, "label_conflicts").numbers["moved"] == {"label_conflicts": 0}


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        (["tidy_up"], "No filter is called 'tidy_up'"),
        ([{"name": "small_classes", "params": {"groups": "x"}}], "small_classes: groups"),
        (["few_packets"], "needs the column bidirectional_packets"),
        ([{"name": "small_classes", "params": {"groups": 99}}], "would move every row"),
        ([{"names": "small_classes"}], "clean_rows"),
        ([7], "clean_rows"),
    ],
)
def test_what_cannot_be_done_is_told(context: ToolContext, filters: list, said: str) -> None:
    with pytest.raises(InputError, match=said):
        clean(context, *filters)


def test_equal_calls_are_one(context: ToolContext, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    params = {"filters": [{"name": "small_classes", "params": {"groups": 3}}]}
    first, reused = call(CLEAN_ROWS, params, context, calls)
    again, reused_again = call(CLEAN_ROWS, params, context, calls)
    assert (reused, reused_again) == (False, True)
    assert first.artifacts == again.artifacts


def test_only_a_thorough_look_has_a_price(context: ToolContext) -> None:
    assert estimate(PROPOSE_FILTERS, {}, context).minutes == 0
    thorough = estimate(PROPOSE_FILTERS, {"thorough": True}, context).minutes
    assert thorough > 0
    judged = estimate(CLEAN_ROWS, {"filters": ["label_errors"]}, context).minutes
    assert judged == thorough > estimate(CLEAN_ROWS, {"filters": []}, context).minutes
