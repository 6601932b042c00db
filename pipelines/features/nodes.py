"""What the text of a feature means: a tree of functions, columns and constants."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import pyarrow as pa

from pipelines.features.tokens import NAME

# Constants are numbers in the text itself, texts are texts there; only columns are lists or bytes.
# Columns are unknown where a text is read before there are rows.
Kind = Literal["number", "flag", "category", "list", "bytes", "constant", "text", "unknown"]


def kind_of(kind: pa.DataType) -> Kind | None:
    """How features read a column of this type; None if they do not."""
    types = pa.types
    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_boolean(kind):
        return "flag"
    if types.is_string(kind) or types.is_large_string(kind):
        return "category"
    if types.is_fixed_size_binary(kind):
        return "bytes"
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return "list" if kind_of(kind.value_type) in ("number", "flag") else None
    plain = (types.is_integer, types.is_floating, types.is_decimal, types.is_temporal)
    return "number" if any(check(kind) for check in plain) else None


@dataclass(frozen=True)
class Constant:
    """A number or a text that stands in the feature itself."""

    value: float | str

    @property
    def kind(self) -> Kind:
        """``text`` or ``constant``."""
        return "text" if isinstance(self.value, str) else "constant"

    def __str__(self) -> str:
        if isinstance(self.value, str):
            quote = "'" if '"' in self.value else '"'
            return f"{quote}{self.value}{quote}"
        return repr(self.value).removesuffix(".0")


@dataclass(frozen=True)
class Column:
    """A column of the rows, with its field groups: a derived one has those of all its inputs."""

    name: str
    kind: Kind
    groups: tuple[str, ...]

    def __str__(self) -> str:
        return self.name if NAME.fullmatch(self.name) else f"`{self.name}`"


@dataclass(frozen=True)
class Window:
    """The last rows, the row itself among them, that are equal to it in the column ``by``."""

    by: Column
    last: int

    def __str__(self) -> str:
        return f"by={self.by}, last={self.last}"


@dataclass(frozen=True)
class Call:
    """A function of other nodes; ``kind`` is that of its result."""

    function: str
    arguments: tuple["Node", ...]
    kind: Kind
    window: Window | None = None

    def __str__(self) -> str:
        parts = [*self.arguments, *([self.window] if self.window else [])]
        return f"{self.function}({', '.join(map(str, parts))})"


Node = Constant | Column | Call


def columns_of(node: Node) -> Iterator[Column]:
    """The columns whose values a tree computes with; of a window's ``by`` it reads equality only,
    so that is not among them."""
    if isinstance(node, Column):
        yield node
    elif isinstance(node, Call):
        for argument in node.arguments:
            yield from columns_of(argument)


def windows_of(node: Node) -> Iterator[Window]:
    """The windows of a tree."""
    if isinstance(node, Call):
        if node.window:
            yield node.window
        for argument in node.arguments:
            yield from windows_of(argument)


def renamed(node: Node, column: Callable[[str], str], text: Callable[[str], str]) -> Node:
    """The same tree with other names for its columns and other texts."""
    if isinstance(node, Constant):
        return Constant(text(node.value)) if isinstance(node.value, str) else node
    if isinstance(node, Column):
        return replace(node, name=column(node.name))
    arguments = tuple(renamed(argument, column, text) for argument in node.arguments)
    window = node.window
    if window:
        window = replace(window, by=replace(window.by, name=column(window.by.name)))
    return replace(node, arguments=arguments, window=window)
