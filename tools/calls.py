"""Calling a tool: checked parameters, and never the same work twice."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipelines.errors import InputError, NetloopError
from pipelines.store.files import canonical_json, hash_file, hash_text, write_atomic
from tools.spec import Estimate, Params, ToolContext, ToolResult, ToolSpec


def check_params(tool: ToolSpec[Any], params: Mapping[str, Any]) -> Params:
    """Typed parameters of a call. Raises InputError that names the parameter and what is wrong."""
    try:
        checked: Params = tool.params.model_validate(params)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "parameters"
        known = ", ".join(tool.params.model_fields)
        raise InputError(
            f"{tool.name}: {place}: {first['msg'].lower()}.", f"Its parameters: {known or 'none'}."
        ) from error
    return checked


def inputs_of(tool: ToolSpec[Any], artifacts: Mapping[str, str]) -> dict[str, str]:
    """The artefacts that a tool reads. Raises NetloopError if one that it needs was never made."""
    found: dict[str, str] = {}
    for need in tool.needs:
        name = need.removesuffix("?")
        matching = {
            k: v
            for k, v in artifacts.items()
            if k == name or (need.endswith("/") and k.startswith(need))
        }
        if not matching and not need.endswith("?"):
            raise NetloopError(f"{tool.name} needs {name!r}, which no earlier step has made.")
        found |= matching
    return found


def estimate(tool: ToolSpec[Any], params: Mapping[str, Any], context: ToolContext) -> Estimate:
    """What the call would cost. Raises InputError for parameters that the tool refuses."""
    found = tool.estimate(check_params(tool, params), context)
    return found.model_copy(update={"measured": tool.name in context.rates.measured})


def call_key(tool: ToolSpec[Any], params: Params, context: ToolContext) -> str:
    """The identity of a call: tool, version, parameters, seed, and all it reads.

    Of files the names count too: a class may be called after its file.
    """
    outside = tool.reads(params)
    with ThreadPoolExecutor() as pool:  # hashing leaves Python's lock alone
        hashes = list(pool.map(hash_file, outside))
    read = [[str(path), digest] for path, digest in zip(outside, hashes, strict=True)]
    inputs = sorted(context.inputs.items())
    values = params.model_dump(mode="json")
    return hash_text(canonical_json([tool.name, tool.version, values, context.seed, inputs, read]))


def recall(calls: Path, key: str, context: ToolContext) -> ToolResult | None:
    """The result of an equal call that finished, if all that it made is still there."""
    path = calls / f"{key}.json"
    if not path.is_file():
        return None
    result = ToolResult.model_validate_json(path.read_text())
    return result if all(map(context.store.has, result.artifacts.values())) else None


def call(
    tool: ToolSpec[Any], params: Mapping[str, Any], context: ToolContext, calls: Path
) -> tuple[ToolResult, bool]:
    """Run a tool, or take the result of an equal call from ``calls``; True if it was taken.

    Raises InputError for parameters that the tool refuses and whatever the tool raises.
    """
    checked = check_params(tool, params)
    key = call_key(tool, checked, context)
    if tool.repeatable and (known := recall(calls, key, context)):
        return known, True
    started = time.monotonic()
    result = tool.run(checked, context)
    result = result.model_copy(update={"seconds": round(time.monotonic() - started, 3)})
    context.rates.record(tool.name, result.work, result.seconds)
    if tool.repeatable:
        calls.mkdir(parents=True, exist_ok=True)
        write_atomic(calls / f"{key}.json", result.model_dump_json(indent=2))
    return result, False
