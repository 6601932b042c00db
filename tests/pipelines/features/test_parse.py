"""What is no feature, and what is said about it."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from pipelines.datasets.fields import DEFAULT_MASKS, field
from pipelines.errors import InputError
from pipelines.features.parse import MOST_DEPTH, MOST_NODES, parse
from pipelines.features.tokens import MOST_CHARACTERS

SCHEMA = pa.schema(
    [
        field("label", pa.string(), "label"),
        field("capture", pa.string(), "split"),
        field("src_bytes", pa.int64(), "sizes"),
        field("dst_bytes", pa.int64(), "sizes"),
        field("land", pa.bool_(), "flags"),
        field("service", pa.string(), "column"),
        field("packet_length", pa.list_(pa.int32(), 4), "sizes"),
        field("payload", pa.binary(8), "payload"),
        field("dst_port", pa.uint16(), "ports"),
        field("dst_ip", pa.binary(16), "addresses"),
        field("Flow Bytes/s", pa.float64(), "column"),
        field("größe", pa.float64(), "column"),
        field("id.resp", pa.float64(), "column"),
        field("names", pa.list_(pa.string()), "column"),
        field("first_seen_ns", pa.int64(), "time"),
    ]
)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (" ratio( src_bytes ,dst_bytes )  ", "ratio(src_bytes, dst_bytes)"),
        ("gt(src_bytes, 1e2)", "gt(src_bytes, 100)"),
        ("gt(src_bytes, -.50)", "gt(src_bytes, -0.5)"),
        ("sum(src_bytes, -0)", "sum(src_bytes, 0)"),
        ("log(`Flow Bytes/s`)", "log(`Flow Bytes/s`)"),
        ("log(`größe`)", "log(größe)"),
        ("log(id.resp)", "log(id.resp)"),
        ("eq(service, 'http')", 'eq(service, "http")'),
        ("eq(service, 'say \"x\"')", "eq(service, 'say \"x\"')"),
        ("window_mean(land, last=3, by=dst_ip)", "window_mean(land, by=dst_ip, last=3)"),
        ("land", "land"),
    ],
)
def test_text_becomes_canonical(text: str, canonical: str) -> None:
    expression = parse(text, SCHEMA)
    assert str(expression) == canonical
    assert parse(canonical, SCHEMA) == expression


def test_a_column_may_have_the_name_of_a_function_or_option() -> None:
    schema = pa.schema([(name, pa.float64()) for name in ("ratio", "by", "last")])
    assert str(parse("ratio(ratio, by)", schema)) == "ratio(ratio, by)"


def refusal(text: str, masks: tuple[str, ...] = DEFAULT_MASKS) -> InputError:
    with pytest.raises(InputError) as caught:
        parse(text, SCHEMA, masks)
    return caught.value


def test_a_mistake_is_pointed_at_with_near_names() -> None:
    error = refusal("log(ratoi(src_bytes, dst_bytes))")
    assert error.message == "There is no function 'ratoi', at character 5:"
    assert error.excerpt == "  log(ratoi(src_bytes, dst_bytes))\n      ^^^^^"
    assert error.mend.startswith("Did you mean ratio")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not the end"),
        ("   ", "not the end"),
        ("ratio(src_bytes, dst_bytes", "should be ')', not the end"),
        ("ratio(src_bytes, dst_bytes))", "should be the end"),
        ("ratio(src_bytes,, dst_bytes)", "not ','"),
        ("ratio()", "not ')'"),
        ("src_bytes dst_bytes", "should be the end"),
        ("src_bytes / dst_bytes", "'/' means nothing"),
        ("eq(service, 'http)", '"\'" means nothing'),
        ("log(`Flow Bytes/s)", "'`' means nothing"),
        ("ratio(src_bytes)", "ratio does not take (number)"),
        ("ratio(src_bytes, service)", "ratio does not take (number, category)"),
        ("not(src_bytes)", "not does not take (number)"),
        ("and(land)", "and does not take (flag)"),
        ("eq(service, 5)", "eq does not take (category, constant)"),
        ("eq(src_bytes, 'x')", "eq does not take (number, text)"),
        ("bucket(src_bytes, dst_bytes)", "bucket does not take (number, number)"),
        ("mean(src_bytes)", "mean does not take (number)"),
        ("length(packet_length)", "length does not take (list)"),
        ("service", "this is a category"),
        ("packet_length", "this is a list"),
        ("'text'", "this is a text"),
        ("5", "this is a constant"),
        ("log(5)", "reads no column"),
        ("window_mean(5, by=dst_ip, last=3)", "reads no column"),
        ("length(names)", "columns of type list<"),
        ("gt(src_bytes, 1e999)", "too large"),
        ("log(nan)", "no column 'nan'"),
        ("log(label)", "bookkeeping"),
        ("length(capture)", "bookkeeping"),
        ("gt(dst_port, 1024)", "masked with the group 'ports'"),
        ("log(src\u202e_bytes)", "Character 8 of the feature, U+202E"),
        ("window_mean(src_bytes, last=3)", "needs by= and last="),
        ("window_mean(src_bytes, by=dst_ip)", "needs by= and last="),
        ("window_mean(src_bytes, by=dst_ip, last=0)", "1 to 100 rows"),
        ("window_mean(src_bytes, by=dst_ip, last=101)", "1 to 100 rows"),
        ("window_mean(src_bytes, by=dst_ip, last=1.5)", "1 to 100 rows"),
        ("window_mean(src_bytes, by=dst_ip, last=-1)", "1 to 100 rows"),
        ("window_mean(src_bytes, by=dst_ip, by=dst_ip, last=1)", "once each"),
        ("window_mean(src_bytes, of=dst_ip, last=1)", "Only by= and last="),
        ("window_mean(src_bytes, by=log(src_bytes), last=1)", "no column 'log'"),
        ("window_mean(src_bytes, by=5, last=1)", "should be a name"),
        ("window_mean(src_bytes, by=label, last=3)", "bookkeeping"),
        ("window_mean(src_bytes, by=capture, last=3)", "bookkeeping"),
        ("window_mean(src_bytes, by=packet_length, last=3)", "do not go by lists"),
        ("log(src_bytes, by=dst_ip, last=3)", "knows neither by= nor last="),
        ("log(src_bytes, last=3)", "knows neither by= nor last="),
    ],
)
def test_no_feature(text: str, said: str) -> None:
    assert said in refusal(text).message


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ("log(src_byte)", "Did you mean src_bytes or dst_bytes?"),
        ("log(dst_prt)", "Did you mean dst_bytes?"),  # dst_port is masked
        ("sum(service)", "Write sum(number, number, ...) or sum(list)."),
    ],
)
def test_the_mend_is_told(text: str, mend: str) -> None:
    assert refusal(text).mend == mend


def test_rows_without_a_time_have_no_windows() -> None:
    timeless = pa.schema([column for column in SCHEMA if column.name != "first_seen_ns"])
    with pytest.raises(InputError, match="carry no time"):
        parse("window_mean(src_bytes, by=dst_ip, last=3)", timeless)


def test_masks_decide_which_columns_are_values() -> None:
    assert "masked with the group 'sizes'" in refusal("log(src_bytes)", ("sizes",)).message
    assert str(parse("gt(dst_port, 1024)", SCHEMA, ())) == "gt(dst_port, 1024)"


def test_a_window_may_go_by_a_masked_column() -> None:
    expression = parse("window_mean(src_bytes, by=dst_ip, last=3)", SCHEMA)
    assert expression.groups == ("sizes",)


def nested(depth: int) -> str:
    return "log(" * depth + "land" + ")" * depth


def parts(count: int) -> str:
    return f"sum({', '.join(['land'] * (count - 1))})"  # the function is a part too


def padded(characters: int) -> str:
    return "log(land)".ljust(characters)


@pytest.mark.parametrize(
    ("written", "most", "said"),
    [
        (nested, MOST_DEPTH, "nested more than 6 deep"),
        (parts, MOST_NODES, "more than 30 parts"),
        (padded, MOST_CHARACTERS, "201 characters"),
    ],
)
def test_bounds_are_met_exactly(written: Callable[[int], str], most: int, said: str) -> None:
    parse(written(most), SCHEMA)
    assert said in refusal(written(most + 1)).message


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "().__class__.__bases__[0].__subclasses__()",
        "eval('1')",
        "lambda: 0",
        "[x for x in (1, 2)]",
        "src_bytes; dst_bytes",
        "f'{src_bytes}'",
        "ratio(src_bytes, dst_bytes).__class__",
        "sum(*packet_length)",
        "src_bytes if land else dst_bytes",
        "open('/etc/passwd')",
        "(" * 190,
        "log(" * 49,
        "sum(" + "9" * 180,
        "9" * 200,
        "log(src_bytes)\n",
        "log(src_bytes)\0",
        "log(src\u202e_bytes)",
        "eq(service, '\ud800')",
        "eq(service, '\u2028')",
        "\uff4cog(src_bytes)",
        "l\u043eg(src_bytes)",
        "x" * 10_000,
        "log(" * 2_500,
    ],
)
def test_hostile_texts_are_refused(text: str) -> None:
    error = refusal(text)
    assert len(str(error)) < 1_000
    str(error).encode()  # can be printed


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"other": [1]}, r"lack the column 'src_bytes', which log\(src_bytes\)"),
        ({"src_bytes": ["word"]}, "has the type string"),
    ],
)
def test_evaluation_refuses_rows_of_another_kind(
    table: Callable[..., pa.Table], columns: dict[str, Any], said: str
) -> None:
    feature = parse("log(src_bytes)", SCHEMA)
    with pytest.raises(InputError, match=said):
        feature.evaluate(table(columns))
