"""Features across the wall: the columns and the texts in them are names of the data."""

from collections.abc import Callable

from agents.wall.names import NameKind, Names
from pipelines.features.expression import Expression
from pipelines.features.nodes import renamed
from pipelines.features.parse import parse


def safe_feature(text: str, say: Callable[[NameKind, str], str]) -> str:
    """A feature as a planner reads it. Raises InputError for a text that is none."""
    tree = parse(text, None).tree
    hidden = renamed(tree, lambda name: say("column", name), lambda value: say("value", value))
    return str(Expression(hidden))


def real_feature(feature: Expression, names: Names) -> Expression:
    """A feature under safe names with the real ones; a text of its own stays as it is."""
    values = {*names.of("value")}

    def text(value: str) -> str:
        return names.real(value) if value in values else value

    return Expression(renamed(feature.tree, names.real, text))
