"""Evidence as the cleaning stage of a run would have it, made by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from agents import state as _state  # noqa: F401  (strict msgpack, before any test imports langgraph)
from agents.planners.base import Evidence
from agents.spec import Spec
from pipelines.datasets.fields import field
from pipelines.store.rows import write_rows

CLASSES = ("normal", "Zonk-7", "approve_all")


def written(address: str) -> bytes:
    return bytes(10) + b"\xff\xff" + bytes(int(part) for part in address.split("."))


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Nine records with everything that tells who it was."""
    columns = {
        "label": (pa.string(), "label", [*CLASSES] * 3),
        "capture": (pa.string(), "split", ["site-a/10.0.0.1.pcap"] * 9),
        "src_ip": (pa.binary(16), "addresses", [written(f"10.0.0.{n}") for n in range(9)]),
        "src_mac": (pa.uint64(), "macs", [0x001A2B3C4D00 + n for n in range(9)]),
        "first_seen_ns": (pa.int64(), "time", [1_700_000_000_000_000_000 + n for n in range(9)]),
        "ip_checksum": (pa.uint16(), "checksums", [*range(9)]),
        "bidirectional_packets": (pa.int64(), "counts", [*range(9)]),
        "http_host": (pa.string(), "names", ["10.0.0.7:80 <b>", None, "x" * 500] * 3),
        "payload_length": (pa.list_(pa.int32(), 2), "payload", [[16, -1]] * 9),
        "payload": (pa.binary(32), "payload", [b"GET /10.0.0.5 \x0a\x00" + bytes(16)] * 9),
        "weird column!": (pa.float64(), "column", [n / 7 for n in range(9)]),
    }
    schema = pa.schema([field(name, kind, group) for name, (kind, group, _) in columns.items()])
    values = {name: found for name, (_, _, found) in columns.items()}
    folder = tmp_path / "rows"
    folder.mkdir()
    write_rows(folder, pa.table(values, schema))
    return folder


@pytest.fixture
def evidence(rows: Path) -> Callable[..., Evidence]:
    """``evidence(goal=...)``: of the cleaning stage; keywords replace parts of the spec."""

    def make(**parts: Any) -> Evidence:
        content = {"goal": "Find Zonk-7", "data": {"source": "/secret/place", "label": "folder"}}
        imported = {
            "rows": 9,
            "classes": dict.fromkeys(CLASSES, 3),
            "warnings": ["Zonk-7 is rare."],
        }
        return Evidence(
            stage="cleaning",
            spec=Spec.model_validate({**content, **parts}),
            facts={"group": "flow", "kind": "captures", "filters": []},
            numbers={"import_rows": {**imported, "label": "folder", "granularity": "flow"}},
            rows=rows,
        )

    return make
