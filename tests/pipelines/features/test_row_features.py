"""Features that are read before there are rows, under other names, and without a window."""

import pyarrow as pa
import pytest

from pipelines.datasets.fields import field
from pipelines.errors import InputError
from pipelines.features.columns import expression_of, row_features, with_features
from pipelines.features.expression import Expression
from pipelines.features.nodes import renamed
from pipelines.features.parse import parse

SCHEMA = pa.schema(
    [
        field("src_bytes", pa.int64(), "sizes"),
        field("Dst Bytes", pa.int64(), "sizes"),
        field("gap", pa.float64(), "gaps"),
        field("port", pa.int64(), "ports"),
        field("service", pa.string(), "column"),
        field("first_seen_ns", pa.int64(), "time"),
    ]
)
WINDOW = "window_mean(src_bytes, by=port, last=5)"


@pytest.mark.parametrize(
    "text",
    [
        "ratio(anything, at_all)",
        "and(eq(service, 'http'), lt(size, 300))",
        "sum(packet_length)",
        "sum(a, b, c)",
        "entropy(payload)",
        "not(seen)",
        "bucket(duration, 0.1, 1, 10)",
        "log(`Flow Bytes/s`)",
        "duration",
        WINDOW,
    ],
)
def test_a_text_is_well_written_whatever_the_columns_are(text: str) -> None:
    assert parse(str(parse(text, None)), None) == parse(text, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ratoi(a, b)", "Did you mean ratio"),
        ("ratio(a)", "does not take"),
        ("ratio(a, 'text')", "does not take"),
        ("bucket(a, b)", "does not take"),
        ("and(gt(a, 1), ratio(a, b))", "does not take"),
        ("gt(1, 2)", "reads no column"),
        ("'text'", "this is a text"),
        ("a / b", "There are no operators"),
        ("window_mean(a)", "needs by= and last="),
        ("ratio(a, b", "not the end"),
        ("__import__('os')", "no function"),
        ("log(" * 7 + "a" + ")" * 7, "deep"),
        ("log(a\x1b[2J)", "does not print"),
        ("log(" + "a" * 200 + ")", "too long"),
    ],
)
def test_a_text_that_no_columns_could_mend_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said.replace("(", r"\(")):
        parse(text, None)


def test_a_mistake_has_its_lines_apart_from_its_sentence() -> None:
    with pytest.raises(InputError) as caught:
        parse("ratio(src_byts, gap)", SCHEMA)
    assert caught.value.message == "There is no column 'src_byts', at character 7:"
    assert caught.value.excerpt == "  ratio(src_byts, gap)\n        ^^^^^^^^"
    assert caught.value.mend == "Did you mean src_bytes?"
    assert str(caught.value).splitlines()[1:] == [
        *caught.value.excerpt.splitlines(), "Did you mean src_bytes?",
    ]  # fmt: skip


def test_a_feature_under_other_names() -> None:
    """Columns, columns of windows and texts are renamed; functions and numbers are not."""
    names = {"src_bytes": "column 1", "port": "p", "service": "s"}
    tree = parse(f"and(gt({WINDOW}, 3), eq(service, 'http'))", SCHEMA).tree
    other = Expression(renamed(tree, names.__getitem__, str.upper))
    assert str(other) == ('and(gt(window_mean(`column 1`, by=p, last=5), 3), eq(s, "HTTP"))')
    back = {new: old for old, new in names.items()}
    assert Expression(renamed(other.tree, back.__getitem__, str.lower)).tree == tree


def test_row_features_are_those_that_need_no_other_row() -> None:
    texts = ["ratio(src_bytes, `Dst Bytes`)", "eq(service, 'http')"]
    assert [str(found) for found in row_features(texts, SCHEMA, masks=())] == [
        "ratio(src_bytes, `Dst Bytes`)", 'eq(service, "http")',
    ]  # fmt: skip


@pytest.mark.parametrize("schema", [None, SCHEMA], ids=["no rows yet", "rows"])
@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([WINDOW], "reads a window"),
        ([f"gt({WINDOW}, 1)"], "reads a window"),
        (["log(gap)", "log( gap )"], "comes twice"),
    ],
)
def test_windows_and_repetitions_are_refused(
    schema: pa.Schema | None, texts: list[str], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        row_features(texts, schema, masks=())


def test_a_masked_column_is_refused_where_there_are_masks() -> None:
    with pytest.raises(InputError, match="masked with the group 'ports'"):
        row_features(["log(port)"], SCHEMA, masks=["ports"])
    assert row_features(["log(port)"], SCHEMA, masks=["gaps"])


def test_a_derived_column_says_its_text() -> None:
    rows = pa.table(
        {name: pa.array([], SCHEMA.field(name).type) for name in SCHEMA.names}, schema=SCHEMA
    )
    made = with_features(rows, row_features(["log(gap)"], SCHEMA, ()))
    assert [expression_of(column) for column in made.schema][-2:] == [None, "log(gap)"]
