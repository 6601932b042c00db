"""Which specs a client may begin a run from.

A client's model may write a spec, so a spec must not do what only a person may: accept a leak, let
more of the data leave the machine, or name a machine that work goes to without any plan saying so.
Nor may it read this process's environment, or files, through what an error says.
"""

import json
from pathlib import Path
from typing import Any

from agents.spec import Spec
from agents.spec_file import load_spec, parse_spec
from pipelines.errors import InputError

LOCAL_EXECUTORS = ("auto", "serial", "processes", "dask")
OPEN_LEVELS = ("schema", "stats")
IN_A_TERMINAL = "A person begins such a run: netloop run SPEC.yaml"


def runnable_spec(spec: dict[str, Any] | str) -> Spec:
    """The checked spec of a mapping, or of a YAML file by its path; its sources can be read.

    Raises InputError otherwise.
    """
    checked = _from_file(Path(spec)) if isinstance(spec, str) else _from_mapping(spec)
    _check_persons(checked)
    return checked


def _from_mapping(content: dict[str, Any]) -> Spec:
    for part in ("data", "design"):
        if "$" in json.dumps(content.get(part)):
            raise InputError(
                f"The spec's {part} names an environment variable.", "Write the path itself."
            )
    checked = parse_spec(content, "the spec")
    _check_sources(checked)
    return checked


def _from_file(path: Path) -> Spec:
    """A file may hold what a client must not read, also in the words of an error."""
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        raise InputError(f"{path} is no YAML file.", "Give the path of a spec, or the spec itself.")
    try:
        checked = load_spec(path)
        _check_sources(checked)
    except InputError as error:
        raise InputError(
            f"The spec {path} cannot be run as it is.",
            f"A person sees why with: netloop run {path}; or give the spec itself.",
        ) from error
    return checked


def _check_sources(spec: Spec) -> None:
    from pipelines.datasets.sources import describe_source

    for source in (spec.data.source, spec.data.test):
        if source is not None:
            describe_source(Path(source), spec.data.label)


def _check_persons(spec: Spec) -> None:
    if spec.data.accept_shortcuts is not None:
        raise InputError("Only a person accepts a leak (data.accept_shortcuts).", IN_A_TERMINAL)
    if spec.llm_sees not in OPEN_LEVELS:
        raise InputError(
            f"Only a person lets a planner see more of the data (llm_sees: {spec.llm_sees}).",
            IN_A_TERMINAL,
        )
    if spec.attachments:
        raise InputError("Only a person attaches files (attachments).", IN_A_TERMINAL)
    if spec.data.executor not in LOCAL_EXECUTORS:
        raise InputError(
            "Only a person sends work to another machine (data.executor).", IN_A_TERMINAL
        )
