"""Sentences drawn from a grammar: slots whose alternatives hold other slots.

A grammar is a YAML file: a slot's name, then its alternatives, as a list of words or one a line.
In an alternative ``{name}`` stands for one drawn from that slot, ``{name*3}`` for three with
commas between them, and ``<a|b|>`` for one of the parts between the bars. A sentence begins at the
slot ``frame`` and draws no alternative twice as long as there are others.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from random import Random

import yaml

from pipelines.instructions.tasks import Task

Grammar = Mapping[str, Sequence[str]]

_PART = re.compile(r"\{(\w+)(?:\*(\d+))?\}|<([^<>]*\|[^<>]*)>")
_LOOSE = re.compile(r"\s+(?=\s|[,.;:?!]+(?:\s|$))")
_BEGIN = re.compile(r"(?:^|(?<=[.?!] ))[a-z]")


@cache
def grammar_of(task: Task) -> Grammar:
    """The slots for all tasks, those of the task's kind and its own; a later one goes first."""
    layers = dict.fromkeys(("all", task.kind.value, task.code.lower()))
    return {slot: lines for layer in layers for slot, lines in _layer(layer).items()}


def sentence(grammar: Grammar, random: Random) -> str:
    """One sentence, drawn with ``random``; its own sentences begin with a capital."""
    used: set[str] = set()

    def filled(text: str) -> str:
        return _PART.sub(lambda part: filled(drawn(part)), text)

    def drawn(part: re.Match[str]) -> str:
        slot, count, choices = part.groups()
        if slot is None:
            return random.choice(str(choices).split("|"))
        lines = grammar[slot]
        return ", ".join(fresh(lines) for _ in range(min(int(count or 1), len(lines))))

    def fresh(lines: Sequence[str]) -> str:
        line = random.choice(lines)
        if line in used:
            line = random.choice([other for other in lines if other not in used] or lines)
        used.add(line)
        return line

    text = _LOOSE.sub("", filled("{frame}")).strip()
    return _BEGIN.sub(lambda letter: letter[0].upper(), text)


def _layer(name: str) -> dict[str, list[str]]:
    text = files(__package__).joinpath("grammar", f"{name}.yaml").read_text(encoding="utf-8")
    slots = yaml.safe_load(text).items()
    return {slot: lines.splitlines() if isinstance(lines, str) else lines for slot, lines in slots}
