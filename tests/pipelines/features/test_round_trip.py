"""Any tree that can be written is read back, and any text either parses or is refused."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipelines.datasets.fields import field
from pipelines.errors import InputError
from pipelines.features.expression import Expression
from pipelines.features.nodes import Call, Column, Constant, Node, Window
from pipelines.features.parse import parse

BY = {"number": ["a", "ratio", "Flow Bytes/s", "größe"], "flag": ["f"], "category": ["t"]}
TYPES = {"number": pa.float64(), "flag": pa.bool_(), "category": pa.string()}
SCHEMA = pa.schema(
    [field(name, TYPES[kind], "column") for kind, names in BY.items() for name in names]
    + [field("host", pa.string(), "addresses"), field("last_seen_ns", pa.int64(), "time")]
)
ROWS = pa.Table.from_pylist(
    [
        {"a": 1.5, "ratio": 0.0, "f": True, "t": "x", "host": "h", "last_seen_ns": 2},
        {"a": -1e300, "größe": 4.0, "f": None, "t": None, "host": "h", "last_seen_ns": 1},
        {"a": 0.0, "Flow Bytes/s": 1e-300, "f": False, "t": "", "host": None, "last_seen_ns": 3},
    ],
    SCHEMA,
)

finite = st.floats(allow_nan=False, allow_infinity=False).map(lambda x: Constant(x + 0.0))
printed = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=5)
words = printed.filter(lambda text: text.isprintable() and not {'"', "'"} <= set(text))


def columns(kind: str) -> st.SearchStrategy[Node]:
    return st.sampled_from(BY[kind]).map(lambda name: Column(name, kind, ("column",)))


def call(name: str, kind: str, *arguments: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.tuples(*arguments).map(lambda parts: Call(name, parts, kind))


def numbers(depth: int) -> st.SearchStrategy[Node]:
    if depth == 0:
        return columns("number")
    below = numbers(depth - 1)
    window = Window(Column("host", "category", ("addresses",)), 3)
    return st.one_of(
        below,
        call("ratio", "number", below, below),
        call("sum", "number", below, finite, columns("flag")),
        call("bucket", "number", below, finite, finite),
        call("length", "number", columns("category")),
        flags(depth - 1),
        below.map(lambda part: Call("window_mean", (part,), "number", window)),
    )


def flags(depth: int) -> st.SearchStrategy[Node]:
    if depth == 0:
        return columns("flag")
    below = flags(depth - 1)
    return st.one_of(
        call("gt", "flag", numbers(depth - 1), finite),
        call("eq", "flag", columns("category"), words.map(Constant)),
        call("and", "flag", below, below),
        call("not", "flag", below),
    )


def small(tree: Node) -> bool:
    return len(str(tree)) <= 200


@given(numbers(3).filter(small))
def test_the_canonical_text_parses_to_the_same_tree(tree: Node) -> None:
    expression = Expression(tree)
    again = parse(str(expression), SCHEMA)
    assert again == expression
    assert str(again) == str(expression)
    assert again.name == expression.name


@given(numbers(3).filter(small))
def test_values_are_finite_or_unknown(tree: Node) -> None:
    values = Expression(tree).evaluate(ROWS)
    assert values.type == pa.float64() and len(values) == len(ROWS)
    assert not np.isinf(values.to_numpy()).any()


@given(numbers(2).filter(small), st.permutations(range(3)))
def test_values_do_not_depend_on_the_order_of_rows(tree: Node, order: list[int]) -> None:
    """Windows included: these rows differ in time."""
    expression = Expression(tree)
    taken = expression.evaluate(ROWS.take(pa.array(order)))
    np.testing.assert_array_equal(taken.to_numpy(), expression.evaluate(ROWS).to_numpy()[order])


pieces = st.sampled_from(
    [*"(),= aft3-`'\".\n\ud800", "log", "ratio", "eq", "window_mean", "by", "last", "host", "1e400"]
)


@given(st.one_of(st.text(max_size=60), st.lists(pieces, max_size=20).map("".join)))
def test_a_text_parses_or_is_refused_and_nothing_else_happens(text: str) -> None:
    try:
        expression = parse(text, SCHEMA)
    except InputError as error:
        str(error).encode()
    else:
        assert parse(str(expression), SCHEMA) == expression
