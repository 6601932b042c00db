"""The words that planners are asked with: one versioned YAML file a prompt, data only.

A changed wording is a new version: runs remember which one they were asked with.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
_PLACE = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True)
class Prompt:
    """One prompt: what the model is, what it is asked, and one example of both."""

    name: str
    version: int
    system: str
    user: str
    example: dict[str, Any]
    """``given`` -> what fills the places of ``user``; ``answer`` -> a right answer."""

    def messages(self, **given: Any) -> list[tuple[str, str]]:
        """The messages with every ``{{place}}`` filled in one pass: what is filled in is never
        read for places again.

        Raises KeyError for a place that nothing fills.
        """
        said = self.example["answer"]
        answer = said if isinstance(said, str) else json.dumps(said)
        system = (
            f"{self.system.strip()}\n\nAn answer to another question looked like this:\n{answer}"
        )
        return [("system", system), ("user", _filled(self.user.strip(), given))]


def _filled(text: str, given: dict[str, Any]) -> str:
    def fill(place: re.Match[str]) -> str:
        value = given[place.group(1)]
        return value if isinstance(value, str) else json.dumps(value, sort_keys=True)

    return _PLACE.sub(fill, text)


@cache
def load_prompt(name: str) -> Prompt:
    """The newest version of a prompt. Raises FileNotFoundError if there is none of that name."""
    versions = {int(path.name.split(".v")[1].split(".")[0]): path for path in _files(name)}
    if not versions:
        raise FileNotFoundError(f"no prompt is called {name!r}")
    content = yaml.safe_load(versions[max(versions)].read_text(encoding="utf-8"))
    common = yaml.safe_load((FOLDER / "common.yaml").read_text(encoding="utf-8"))
    return Prompt(
        name=name,
        version=max(versions),
        system=f"{common['rules'].strip()}\n\n{content['system'].strip()}",
        user=content["user"],
        example=content["example"],
    )


def prompt_names() -> list[str]:
    """All prompts, by name."""
    return sorted({path.name.split(".v")[0] for path in FOLDER.glob("*.v*.yaml")})


def _files(name: str) -> list[Path]:
    return [path for path in FOLDER.glob("*.v*.yaml") if path.name.split(".v")[0] == name]
