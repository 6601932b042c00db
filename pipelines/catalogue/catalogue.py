"""The catalogue of public data sets, read from ``sets.yaml``; nothing is downloaded."""

from difflib import get_close_matches
from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict, Field

from pipelines.errors import InputError

UNKNOWN = "unknown"


class PublicSet(BaseModel):
    """A public set of labelled traffic. ``unknown`` stands where nothing sure is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    task: str = Field(description="What it is used to learn")
    what: str = Field(description="What it is, in a sentence or two")
    form: str = Field(description="captures, flow table, requests, ...")
    count: str = Field(default=UNKNOWN, description="Rows or captures, as far as known")
    size: str = Field(default=UNKNOWN, description="Bytes to download, as far as known")
    year: int | None = Field(default=None, description="When the traffic was recorded")
    licence: str = Field(default=UNKNOWN, description="Terms as published")
    cite: str = ""
    faults: list[str] = Field(default_factory=list, description="Known faults, with a reference")
    where: str = Field(default=UNKNOWN, description="Where its owners publish it")
    loader: str | None = Field(default=None, description="The layout that netloop knows it by")
    command: str = Field(description="How to look at it once it is here")


@cache
def catalogue() -> dict[str, PublicSet]:
    """Every set by its name, in alphabetical order."""
    text = files(__package__).joinpath("sets.yaml").read_text(encoding="utf-8")
    sets = [PublicSet.model_validate(entry) for entry in yaml.safe_load(text)]
    return {found.name: found for found in sorted(sets, key=lambda found: found.name.lower())}


def find_set(name: str) -> PublicSet:
    """The set of that name, however it is cased. Raises InputError that names the nearest one."""
    by_name = {plain(known): found for known, found in catalogue().items()}
    if found := by_name.get(plain(name)):
        return found
    near = get_close_matches(plain(name), by_name, n=1, cutoff=0.0)[0]
    raise InputError(
        f"The catalogue has no set {name!r}; did you mean {by_name[near].name}?",
        "See netloop data catalogue.",
    )


def plain(name: str) -> str:
    """A name without case and punctuation."""
    return "".join(letter for letter in name.lower() if letter.isalnum())
