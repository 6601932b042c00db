"""Reading a spec: from a file or a mapping, with changes, environment variables and kind errors."""

import difflib
import os
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from agents.spec import DesignSpec, Spec
from pipelines.errors import InputError


def load_spec(path: Path, changes: list[str] | None = None) -> Spec:
    """Read a spec file and apply ``key=value`` changes (dotted keys, YAML values).

    Raises InputError: no such file, no YAML, an unknown key (with the nearest valid one), a value
    out of bounds, an environment variable that is not set, several specs in one file.
    """
    specs = load_specs(path, changes)
    if len(specs) > 1:
        raise InputError(
            f"The file {path} holds {len(specs)} specs, and one is run at a time.",
            "netloop augment takes them all; else give each a file of its own.",
        )
    return specs[0]


def load_specs(path: Path, changes: list[str] | None = None) -> list[Spec]:
    """Read all specs of a file, one or more, with ``---`` between them; changes are for all.

    Raises InputError as ``load_spec`` does, but for several.
    """
    try:
        contents = [*yaml.safe_load_all(path.read_text(encoding="utf-8"))]
    except OSError as error:
        raise InputError(
            f"The spec {path} cannot be read: {error.strerror}.",
            "Give a YAML spec (there are some in examples/), or talk it through: netloop chat",
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"The spec {path} is not YAML: {_one_line(error)}.") from error
    if not contents or not all(isinstance(content, dict) for content in contents):
        raise InputError(f"The spec {path} is not a mapping of keys.", "Begin with 'goal: ...'.")
    for change in changes or []:
        for content in contents:
            apply_change(content, change)
    return [parse_spec(content, str(path)) for content in contents]


def parse_spec(content: dict[str, Any], where: str) -> Spec:
    """Check a spec that was read, expanding environment variables in its paths.

    Raises InputError as ``load_spec`` does.
    """
    try:
        spec = Spec.model_validate(content)
    except ValidationError as error:
        raise InputError(f"In {where}: {_explain(error)}.") from error
    except InputError as error:
        raise InputError(f"In {where}: {error.message}", error.mend, error.excerpt) from error
    data = spec.data.model_copy(
        update={
            name: expand(getattr(spec.data, name), f"data.{name}")
            for name in ("source", "label", "test")
        }
    )
    return spec.model_copy(update={"data": data, "design": _expanded(spec.design)})


def _expanded(design: DesignSpec) -> DesignSpec:
    """The design with the path of its base expanded."""
    if design.traffic_lm is None:
        return design
    base = expand(design.traffic_lm.base, "design.traffic_lm.base")
    tuned = design.traffic_lm.model_copy(update={"base": base})
    return design.model_copy(update={"traffic_lm": tuned})


def expand(text: str | None, where: str) -> str | None:
    """``$NAME`` and ``${NAME}`` from the environment, ``~`` as the home folder.

    Raises InputError if a variable is not set.
    """
    if text is None:
        return None
    filled = os.path.expandvars(text)
    if filled.startswith("~"):
        filled = str(Path(filled).expanduser())
    if missing := re.search(r"\$(\w+|\{[^}]*\})", filled):
        name = missing.group(1).strip("{}")
        raise InputError(
            f"{where} names the environment variable {name}, which is not set.",
            f"Set it: export {name}=/path/to/the/captures",
        )
    return filled


def apply_change(content: dict[str, Any], change: str) -> None:
    """Set one ``key=value`` (dotted key, YAML value) in a spec. Raises InputError if it is none."""
    key, equals, text = change.partition("=")
    if not equals or not key:
        raise InputError(
            f"--set {change!r} is not key=value.", "Example: --set data.split.test=0.3"
        )
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"--set {key}: the value is not YAML: {_one_line(error)}.") from error
    *parents, last = key.split(".")
    part = content
    for name in parents:
        below = part.setdefault(name, {})
        if not isinstance(below, dict):
            raise InputError(f"--set {key}: {name} is a value, not a group of keys.")
        part = below
    part[last] = value


def _explain(error: ValidationError) -> str:
    return "; ".join(_explain_one(dict(item)) for item in error.errors()[:5])


def _explain_one(item: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in item["loc"])
    if item["type"] != "extra_forbidden":
        words = item["msg"].removeprefix("Value error, ")
        words = f"{words[:1].lower()}{words[1:]}"
        return f"{place}: {words}" if place else words
    known = _keys_at(item["loc"][:-1])
    near = difflib.get_close_matches(str(item["loc"][-1]), known, n=1, cutoff=0.0)
    return f"unknown key {place!r}, did you mean {near[0]!r}? (known here: {', '.join(known)})"


def _keys_at(place: tuple[Any, ...]) -> list[str]:
    model: type[BaseModel] = Spec
    for name in place:
        annotation = model.model_fields[name].annotation
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        model = next(c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel))
    return list(model.model_fields)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
