"""The page of the language says what the code does."""

import re
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.datasets.fields import field
from pipelines.features.functions import FUNCTIONS
from pipelines.features.parse import MOST_DEPTH, MOST_NODES, parse
from pipelines.features.tokens import MOST_CHARACTERS
from pipelines.features.windows import MOST_LAST

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "features.md").read_text()
SCHEMA = pa.schema(
    [field(name, pa.float64(), "sizes") for name in ("src_bytes", "dst_bytes", "duration", "count")]
    + [field(name, pa.int64(), "sizes") for name in ("bidirectional_bytes", "Flow Bytes/s")]
    + [field("packet_length", pa.list_(pa.int32(), 4), "sizes"), field("land", pa.bool_(), "flags")]
    + [field("service", pa.string(), "column"), field("payload", pa.binary(8), "payload")]
    + [field("dst_ip", pa.binary(16), "addresses"), field("last_seen_ns", pa.int64(), "time")]
)  # fmt: skip


def test_the_table_holds_every_form_and_no_other() -> None:
    rows = re.findall(r"^\| `(.+?)` \| (number|flag) \| (.+) \|$", PAGE, re.MULTILINE)
    written = [
        (form.usage(name), form.gives, form.meaning)
        for name, forms in FUNCTIONS.items()
        for form in forms
    ]
    assert rows == written


def test_the_examples_parse() -> None:
    (block,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    examples = block.splitlines()
    assert len(examples) > 5
    for example in examples:
        parse(example, SCHEMA)


@pytest.mark.parametrize(
    "bound",
    [
        f"{MOST_CHARACTERS} characters",
        f"{MOST_DEPTH} functions deep",
        f"{MOST_NODES} parts",
        f"1 to {MOST_LAST}",
    ],
)
def test_the_bounds_are_told(bound: str) -> None:
    assert bound in PAGE
