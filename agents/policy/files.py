"""Policy files: read, and refused with the nearest known name wherever one is mistyped."""

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from agents.policy.rules import Bounds, Rule
from agents.policy.sense import check_rule, nearest
from agents.policy.verdicts import Policy
from pipelines.errors import InputError

EXAMPLE = "rules: [{stage: design, tool: 'train_*', max_minutes: 30, decide: approve}]"


def load_policy(path: Path) -> Policy:
    """Read a policy file.

    Raises InputError: no such file, no YAML, a key, stage, tool, parameter or value that does not
    exist, bounds that nothing can meet, a rule that can match nothing.
    """
    try:
        content = read_content(path)
    except OSError as error:
        raise InputError(
            f"--approve {path}: not ask, not auto, and no policy file: {error.strerror}."
        ) from error
    return parse_policy(content, f"The policy {path}").at(path.name)


def read_content(path: Path) -> Any:
    """What a YAML file holds. Raises OSError, and InputError: no YAML, a key given twice."""
    text = path.read_bytes()
    try:
        repeated = _repeated_key(yaml.compose(text, Loader=yaml.SafeLoader))
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(
            f"The policy {path} is not YAML: {' '.join(str(error).split())}."
        ) from error
    if repeated:
        raise InputError(f"The policy {path}, {repeated} is given twice.", "Keep one of them.")
    return content


def parse_policy(content: Any, where: str) -> Policy:
    """The policy in what was read from ``where``. Raises InputError as ``load_policy`` does."""
    if not isinstance(content, dict):
        raise InputError(f"{where} is no mapping of keys.", f"Example: {EXAMPLE}")
    try:
        policy = Policy.model_validate(content)
    except ValidationError as error:
        raise _explained(error, where) from error
    for number, rule in enumerate(policy.rules, start=1):
        check_rule(rule, f"{where}, rule {number}")
    return policy


def _explained(error: ValidationError, where: str) -> InputError:
    """The first fault: where it is, and the nearest name where a name is wrong.

    A key that is missing is often one that is mistyped, so unknown keys come first.
    """
    faults = error.errors()
    first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    place = first["loc"]
    if len(place) > 1 and isinstance(place[1], int):
        where, place = f"{where}, rule {place[1] + 1}", place[2:]
    name = ".".join(map(str, place))
    if first["type"] == "extra_forbidden":
        return InputError(
            f"{where}: there is no key {name!r}.", nearest(str(place[-1]), _keys(first["loc"]))
        )
    said = f"{where}: {name}: {first['msg'].lower()}." if name else f"{where}: {first['msg']}."
    if first["type"] == "literal_error":
        known = re.findall(r"'([^']*)'", first["ctx"]["expected"])
        return InputError(said, nearest(str(first["input"]), known))
    return InputError(said, f"Example: {EXAMPLE}")


def _keys(place: tuple[int | str, ...]) -> list[str]:
    """The keys that there are where an unknown one stands."""
    if "params" in place[:-1]:
        return [field.alias or name for name, field in Bounds.model_fields.items()]
    return list((Rule if len(place) > 1 else Policy).model_fields)


def _repeated_key(root: yaml.Node | None) -> str:
    """Where a key stands twice; YAML would drop the first in silence. Empty if none does."""
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen or not isinstance(node, yaml.CollectionNode):
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            if twice := next((key for key in keys if keys.count(key) > 1), None):
                return f"line {node.start_mark.line + 1}: {twice!r}"
            waiting += [value for _, value in node.value]
        else:
            waiting += node.value
    return ""
