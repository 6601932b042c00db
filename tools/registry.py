"""All tools by name. A new tool is one new ToolSpec and one line here."""

import difflib
from typing import TYPE_CHECKING, Any

from pipelines.errors import InputError
from tools.augment import AUGMENT_ROWS, EXPLORE_ARMS
from tools.cleaning import CLEAN_ROWS, PROPOSE_FILTERS
from tools.design import TRAIN_BASELINES, TRAIN_CNN
from tools.detection import DETECT_LIVE, DETECT_TRAFFIC
from tools.export import EXPORT_FLOWS
from tools.features import DERIVE_FEATURES
from tools.few_labels import STUDY_FEW_LABELS
from tools.lab import MAKE_LAB
from tools.operation import (
    EVALUATE_DETECTOR,
    EVALUATE_MODELS,
    PACKAGE_DETECTOR,
)
from tools.proof import AUDIT_SHORTCUTS, SPLIT_ROWS
from tools.report import WRITE_REPORT
from tools.requirements import IMPORT_ROWS, INSPECT_SOURCE, RECORD_REQUIREMENTS
from tools.spec import ToolContext, ToolSpec
from tools.stress import COMPARE_LATER, STRESS_MODEL
from tools.traffic_lm import TRAIN_TRAFFIC_LM, TRY_TRAFFIC_LM

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

TOOLS: dict[str, ToolSpec[Any]] = {
    tool.name: tool
    for tool in (
        INSPECT_SOURCE,
        RECORD_REQUIREMENTS,
        IMPORT_ROWS,
        PROPOSE_FILTERS,
        CLEAN_ROWS,
        SPLIT_ROWS,
        AUDIT_SHORTCUTS,
        COMPARE_LATER,
        TRAIN_BASELINES,
        TRAIN_CNN,
        TRY_TRAFFIC_LM,
        TRAIN_TRAFFIC_LM,
        DERIVE_FEATURES,
        EXPLORE_ARMS,
        AUGMENT_ROWS,
        STUDY_FEW_LABELS,
        EVALUATE_MODELS,
        STRESS_MODEL,
        PACKAGE_DETECTOR,
        WRITE_REPORT,
        DETECT_TRAFFIC,
        DETECT_LIVE,
        EVALUATE_DETECTOR,
        EXPORT_FLOWS,
        MAKE_LAB,
    )
}


def find_tool(name: str) -> ToolSpec[Any]:
    """The tool of that name. Raises InputError that names the nearest one."""
    if name not in TOOLS:
        near = difflib.get_close_matches(name, TOOLS, n=1, cutoff=0.0)[0]
        raise InputError(f"There is no tool {name!r}.", f"Did you mean {near}?")
    return TOOLS[name]


def langchain_tools(context: ToolContext) -> "list[BaseTool]":
    """The read-only tools as LangChain tools for a chat model.

    The consequential ones are left out on purpose: they run only from an approved plan.
    """
    from langchain_core.tools import StructuredTool

    return [
        StructuredTool.from_function(
            func=_caller(tool, context),
            name=tool.name,
            description=tool.summary,
            args_schema=tool.params,
        )
        for tool in TOOLS.values()
        if tool.risk == "read"
    ]


def _caller(tool: ToolSpec[Any], context: ToolContext) -> Any:
    def run(**params: Any) -> dict[str, Any]:
        return tool.run(tool.params.model_validate(params), context).numbers

    return run
