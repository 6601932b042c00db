"""From the text of a feature to a typed tree. Nothing of the text is ever executed.

    feature  = number | text | column | name "(" argument {"," argument} ")"
    argument = feature | "by" "=" column | "last" "=" number

Columns are bare names, or names between backticks; texts stand between quotation marks.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from math import isfinite
from typing import NoReturn

import pyarrow as pa

from pipelines.datasets.fields import DEFAULT_MASKS, LABEL, SPLIT, feature_columns, groups_of
from pipelines.features.expression import Expression
from pipelines.features.functions import FUNCTIONS, Form, form_of
from pipelines.features.nodes import Call, Column, Constant, Node, Window, columns_of, kind_of
from pipelines.features.tokens import Token, mistake, tokens
from pipelines.features.windows import MOST_LAST, time_column

MOST_DEPTH = 6
MOST_NODES = 30


def parse(text: str, schema: pa.Schema | None, masks: Sequence[str] = DEFAULT_MASKS) -> Expression:
    """Read a feature of rows of ``schema``, of which ``masks`` hides groups.

    Without a schema, before there are rows, any name may be a column of any kind: such a feature
    is well written, and cannot be evaluated.

    Raises InputError for anything that is no feature; it names what is wrong and points at it.
    """
    parser = _Parser(text, schema, masks)
    tree = parser.feature(depth=0)
    parser.take("end")
    whole = Token("sign", text, 0, len(text))
    if tree.kind not in ("number", "flag", "unknown"):
        parser.refuse(whole, f"A feature is a number or a flag, this is a {tree.kind}", "")
    if not any(columns_of(tree)):
        parser.refuse(whole, "This reads no column", "A feature must differ from row to row.")
    return Expression(tree)


class _Parser:
    """Reads the tokens of one text from left to right."""

    def __init__(self, text: str, schema: pa.Schema | None, masks: Sequence[str]) -> None:
        self.text, self.schema, self.masks = text, schema, masks
        self.tokens = tokens(text)
        self.nodes = 0

    def refuse(self, token: Token, message: str, mend: str) -> NoReturn:
        raise mistake(self.text, token, message, mend)

    def take(self, kind: str, text: str | None = None) -> Token:
        """The next token, which must be this one."""
        token = self.tokens[0]
        if token.kind != kind or text not in (None, token.text):
            wanted = f"{text!r}" if text else f"a {kind}" if kind != "end" else "the end"
            found = f"{token.text!r}" if token.text else "the end"
            self.refuse(token, f"Here should be {wanted}, not {found}", "")
        return self.tokens.pop(0)

    def next_is(self, sign: str, ahead: int = 0) -> bool:
        return [token.text for token in self.tokens[ahead : ahead + 1]] == [sign]

    def feature(self, depth: int) -> Node:
        token = self.tokens[0]
        self.nodes += 1
        if self.nodes > MOST_NODES:
            self.refuse(token, f"This has more than {MOST_NODES} parts", "Write a shorter feature.")
        if token.kind == "name" and self.next_is("(", ahead=1):
            if depth == MOST_DEPTH:
                self.refuse(
                    token, f"This is nested more than {MOST_DEPTH} deep", "Write it in fewer steps."
                )
            return self.call(depth + 1)
        if token.kind == "number":
            return self.number()
        if token.kind == "text":
            return Constant(self.take("text").text[1:-1])
        if token.kind not in ("name", "quoted"):
            found = repr(token.text) if token.text else "the end"
            self.refuse(token, f"Here should be a column, a function or a number, not {found}", "")
        return self.value_column()

    def number(self) -> Constant:
        token = self.take("number")
        value = float(token.text) + 0.0  # minus zero is zero
        if not isfinite(value):
            self.refuse(token, "This number is too large", "Write one below 1e308.")
        return Constant(value)

    def column(self) -> tuple[Token, Column]:
        """A column of the schema, whatever its group."""
        token = self.take("quoted" if self.tokens[0].kind == "quoted" else "name")
        name = token.text.strip("`")
        if self.schema is None:
            return token, Column(name, "unknown", ())
        if name not in self.schema.names:
            seen = feature_columns(self.schema, self.masks)
            self.refuse(token, f"There is no column {name!r}", _near(name, seen, "Columns"))
        field = self.schema.field(name)
        kind = kind_of(field.type)
        if kind is None:
            self.refuse(token, f"Features do not read columns of type {field.type}", "")
        return token, Column(name, kind, groups_of(field))

    def value_column(self) -> Column:
        """A column that models may see."""
        token, column = self.column()
        if _is_bookkeeping(column):
            self.refuse(token, f"{column.name!r} is bookkeeping and never a feature", "")
        if masked := [group for group in column.groups if group in self.masks]:
            self.refuse(
                token,
                f"{column.name!r} is masked with the group {masked[0]!r}",
                "Take the group out of the masks, or name the column in a window's by= only.",
            )
        return column

    def call(self, depth: int) -> Call:
        name = self.take("name")
        if name.text not in FUNCTIONS:
            known = _near(name.text, list(FUNCTIONS), "Functions")
            self.refuse(name, f"There is no function {name.text!r}", known)
        self.take("sign", "(")
        arguments: list[Node] = []
        by: Column | None = None
        last: int | None = None
        while True:
            if not self.next_is("=", ahead=1):
                arguments.append(self.feature(depth))
            elif self.next_is("by") and by is None:
                by = self.by()
            elif self.next_is("last") and last is None:
                last = self.last()
            else:
                self.refuse(self.tokens[0], "Only by= and last= are named, once each", "")
            if not self.next_is(","):
                break
            self.take("sign", ",")
        self.take("sign", ")")
        form = form_of(name.text, [argument.kind for argument in arguments])
        usage = " or ".join(form.usage(name.text) for form in FUNCTIONS[name.text])
        if form is None:
            given = ", ".join(argument.kind for argument in arguments)
            self.refuse(name, f"{name.text} does not take ({given})", f"Write {usage}.")
        window = self.window(name, form, by, last, f"Write {usage}.")
        return Call(name.text, tuple(arguments), form.gives, window)

    def by(self) -> Column:
        self.take("name", "by")
        self.take("sign", "=")
        token, column = self.column()
        if _is_bookkeeping(column):
            self.refuse(token, f"{column.name!r} is bookkeeping: windows by it tell the label", "")
        if column.kind == "list":
            self.refuse(token, "Windows do not go by lists", "")
        return column

    def last(self) -> int:
        self.take("name", "last")
        self.take("sign", "=")
        token = self.take("number")
        last = float(token.text)
        if not (last.is_integer() and 1 <= last <= MOST_LAST):
            self.refuse(token, f"A window has 1 to {MOST_LAST} rows", "")
        return int(last)

    def window(
        self, name: Token, form: Form, by: Column | None, last: int | None, usage: str
    ) -> Window | None:
        if form.reads != "window":
            if by or last:
                self.refuse(name, f"{name.text} knows neither by= nor last=", usage)
            return None
        if by is None or last is None:
            self.refuse(name, f"{name.text} needs by= and last=", usage)
        if self.schema is not None and time_column(self.schema) is None:
            self.refuse(name, "These rows carry no time, so none is earlier than another", "")
        return Window(by, last)


def _is_bookkeeping(column: Column) -> bool:
    return not {LABEL, SPLIT}.isdisjoint(column.groups)


def _near(name: str, known: list[str], what: str) -> str:
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"{what}: {', '.join(known[:20])}{', ...' if len(known) > 20 else ''}."
