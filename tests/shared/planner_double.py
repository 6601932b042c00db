"""A well-behaved language model: it reads its prompt and repeats the default, with a few changes.

with openai_double(PlannerDouble(design={"network": "small"})) as server: ...
"""

import json
from random import Random
from typing import Any

MASKS_WHY = "They name hosts and moments."


class PlannerDouble:
    """``reply`` of an ``openai_double``. ``changes``: stage, or reading, answer, intent -> what to
    say instead of the default (for answer: the words)."""

    def __init__(self, **changes: Any) -> None:
        self.changes = changes
        self.asked: list[str] = []

    def __call__(self, request: dict[str, Any]) -> str:
        kind = kind_of(request)
        self.asked.append(kind)
        change = self.changes.get(kind, {})
        if kind == "answer":
            return change or "Because the evidence says so."
        return json.dumps({**_default(kind, request), **change})


def kind_of(request: dict[str, Any]) -> str:
    """What a request asks for: a stage, reading, answer or intent."""
    system = str(request["messages"][0]["content"])
    if "Stage: " in system:
        return system.split("Stage: ")[1].split(".")[0]
    kinds = {
        "A stage has been run": "reading",
        "asks about a plan": "answer",
        "Write more rows of one class": "rows",
    }
    return next((kind for words, kind in kinds.items() if words in system), "intent")


def told(request: dict[str, Any], head: str) -> Any:
    """The JSON that a prompt tells after ``head``, such as ``The default: ``."""
    text = str(request["messages"][1]["content"])
    return json.JSONDecoder().raw_decode(text.split(head)[1])[0]


def _default(kind: str, request: dict[str, Any]) -> dict[str, Any]:
    if kind == "reading":
        return {
            "words": ["The two best models are close."],
            "again": False,
            "again_why": "",
            "retrain": "no",
            "retrain_why": "Nothing is known of later data.",
        }
    if kind == "rows":
        return {"rows": _rows(request)}
    if kind == "intent":
        return {"kind": "unclear", "words": ""}
    return FILLED[kind](told(request, "The default: "))


def _rows(request: dict[str, Any]) -> list[list[Any]]:
    """Rows within the ranges that were told, other ones for every request."""
    random = Random(json.dumps(request["messages"]))
    columns, count = told(request, "Columns: "), told(request, "Count: ")
    return [
        [
            random.choice(column["values"])
            if "values" in column
            else random.uniform(column["low"], column["high"])
            for column in columns
        ]
        for _ in range(count)
    ]


def _requirements(default: dict[str, Any]) -> dict[str, Any]:
    return {"task": "AAD", **default, "analysis": "Two kinds of records.", "questions": []}


def _cleaning(default: dict[str, Any]) -> dict[str, Any]:
    filters = [{**chosen, "why": "It is measured."} for chosen in default["filters"]]
    why = {"judgement": "The rows look right.", "split_why": "As later.", "masks_why": MASKS_WHY}
    return {**default, **why, "filters": filters, "records": []}


def _augmentation(default: dict[str, Any]) -> dict[str, Any]:
    return {**default, "judgement": "There are rows enough."}


def _design(default: dict[str, Any]) -> dict[str, Any]:
    return {**default, "curves": "", "why": "They fit the budget."}


def _operation(default: dict[str, Any]) -> dict[str, Any]:
    return {**default, "why": "It is the best on validation."}


FILLED = {
    "requirements": _requirements,
    "cleaning": _cleaning,
    "augmentation": _augmentation,
    "design": _design,
    "operation": _operation,
}
