"""Editing a plan: its parameters as a form, each value checked as it is entered."""

from collections.abc import Callable
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table

from agents.checkpoints import Plan, step_names
from agents.conversation.change import find_place, parse_change, places_of, typed_value
from agents.terminal.chat_ask import Prompt, ask_line
from agents.terminal.plan_view import NARROW, shown
from agents.terminal.sanitize import safe_text, visible
from agents.terminal.tables import say
from pipelines.errors import InputError
from tools.registry import TOOLS

# Raises InputError for edits that the plan cannot take.
CheckEdits = Callable[[dict[str, Any]], None]
_LIMITS = {
    "minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most",
    "exclusiveMaximum": "below",
}  # fmt: skip
_TYPES = {"integer": "a whole number", "number": "a number", "boolean": "true or false",
          "string": "words", "array": "a list with commas", "object": "a mapping"}  # fmt: skip


class EditForm:
    """The parameters of one plan, and the changes that a person makes to them."""

    def __init__(self, plan: Plan, console: Console, prompt: Prompt, check: CheckEdits) -> None:
        self.plan = plan
        self.console = console
        self.ask = partial(ask_line, prompt, console)
        self.check = check
        self.edits: dict[str, Any] = {}

    def fill(self, first: str = "") -> dict[str, Any]:
        """The changes, by place, until an empty line; ``first`` is one that was typed already."""
        if not first:
            self._show()
        line = first or self.ask("parameter=value, or a number: ", _ABOUT)
        while line:
            try:
                self._take(line)
            except InputError as error:
                say(self.console, str(error), "yellow")
            line = self.ask("parameter=value (Enter: no more): ", _ABOUT)
        return self.edits

    def _take(self, line: str) -> None:
        """One change, or the name of a parameter whose value is then asked for."""
        if "=" in line:
            place, value = parse_change(line, self.plan)
        else:
            place = self._named(line)
            text = self._value_of(place)
            if not text:
                return
            value = typed_value(text)
        self.check({**self.edits, place: value})
        self.edits[place] = value
        say(self.console, f"{place} becomes {shown(value)}", "green", indent=2)

    def _named(self, line: str) -> str:
        places = places_of(self.plan)
        if not line.isdecimal():
            place = find_place(line, self.plan)
            if place not in places:
                raise InputError(f"{line!r} names no parameter of the plan.", "e lists them.")
            return place
        if not 1 <= int(line) <= len(places):
            raise InputError(f"There is no parameter {line}.", f"They go from 1 to {len(places)}.")
        return places[int(line) - 1]

    def _value_of(self, place: str) -> str:
        now, allowed, about = self._described(place)
        words = f"{about or 'A parameter'}: {allowed}."
        return self.ask(f"{visible(place)} ({visible(allowed)}) [{visible(now)}] ", words)

    def _show(self) -> None:
        """Every parameter with its number, its value, what may stand there, and what it means."""
        if self.console.width < NARROW:
            self._show_narrow()
            return
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        for head in ("", "parameter", "value", "may be"):
            table.add_column(head, overflow="fold", ratio=2 if head in ("value", "may be") else 0)
        for number, place in enumerate(places_of(self.plan), start=1):
            now, allowed, about = self._described(place)
            cells = (str(number), place, now, ". ".join(filter(None, (allowed, about))))
            pairs = zip(cells, ("", "", "bold", "dim"), strict=True)
            table.add_row(*(safe_text(cell, style, limit=600) for cell, style in pairs))
        self.console.print(table)

    def _show_narrow(self) -> None:
        """Steps, and below each its parameters with their numbers and values."""
        above = ""
        for number, place in enumerate(places_of(self.plan), start=1):
            step_name, _, parameter = place.rpartition(".")
            if step_name != above:
                say(self.console, step_name, "bold cyan")
            above = step_name
            say(self.console, f"{number:>2}  {parameter}  {self._described(place)[0]}", indent=1)

    def _described(self, place: str) -> tuple[str, str, str]:
        """A parameter's value now, what it may be, and what it means."""
        step_name, _, parameter = place.rpartition(".")
        names = step_names(self.plan.steps)
        step = self.plan.steps[names.index(step_name)]
        tool = TOOLS.get(step.tool)
        schema = tool.params.model_json_schema() if tool else {}
        found = schema.get("properties", {}).get(parameter, {})
        now = shown(step.params[parameter])
        return now, allowed_words(found), str(found.get("description", ""))


_ABOUT = "A number or a name from the list, or test=0.3; lists as [a, b]."


def allowed_words(schema: dict[str, Any]) -> str:
    """What a JSON schema allows, in words: ``a number above 0, below 1``, ``one of a, b``."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(allowed_words(part) for part in schema["anyOf"]))
    if schema.get("type") == "null":
        return "none"
    if "enum" in schema:
        return f"one of {', '.join(map(shown, schema['enum']))}"
    limits = [f"{word} {schema[key]:g}" for key, word in _LIMITS.items() if key in schema]
    kind = _TYPES.get(schema.get("type", ""), "a value")
    return f"{kind} {', '.join(limits)}".strip()
