"""Flows and their statistics against NFStream's (6.6, its defaults, without dissection).

``nfstream_flows.json`` holds what it made of the captures. It counts time in milliseconds and drops
every fragment but the first, so the captures are ones without fragments. It opens no tunnels.
"""

import json
from pathlib import Path

import pytest

from pipelines.capture import FlowSettings, read_flows

GOLDEN = json.loads((Path(__file__).parent / "nfstream_flows.json").read_text())
TIMES = [index for index, name in enumerate(GOLDEN["columns"]) if name.endswith("_ms")]


@pytest.mark.parametrize("name", GOLDEN["captures"])
def test_flows_equal_nfstream(data, name):
    settings = FlowSettings(decode_tunnels=False)
    tables = read_flows(data / "ndpi" / "pcap" / name, settings)
    rows = [row for table in tables for row in table.to_pylist()]
    ours = sorted([row[column] for column in GOLDEN["columns"]] for row in rows)
    theirs = sorted(GOLDEN["captures"][name])
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        for index, column in enumerate(GOLDEN["columns"]):
            expected = pytest.approx(other[index], abs=2.1 if index in TIMES else 1e-5)
            assert mine[index] == expected, column
