"""Zeek's own form, line by line, and beside a log that Zeek wrote."""

import io
from collections import Counter

import pyarrow as pa

from pipelines.capture import FlowSettings
from pipelines.profiles.registry import PROFILES
from pipelines.profiles.writers import open_writer
from pipelines.profiles.zeek_log import ZeekLog

STATES = {"S0", "S1", "SF", "REJ", "S2", "S3", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH", "SHR"}
STATES |= {"OTH"}
SCHEMA = PROFILES["zeek-conn"].schema(FlowSettings())


def log(rows, schema=SCHEMA):
    file = io.BytesIO()
    writer = open_writer("tsv", "zeek-conn", schema, file)
    assert isinstance(writer, ZeekLog)
    writer.write(pa.Table.from_pylist(rows, schema))
    writer.close()
    return file.getvalue().decode().splitlines()


def head(lines):
    return {line.split()[0]: line for line in lines if line.startswith("#")}


def test_a_rejected_connection(make):
    packets = [(1500, make.tcp(0, "S", 100)), (1502.5, make.tcp(1, "RA", 0))]
    *lines, row = log(make.rows("zeek-conn", make.pcap(packets)))
    cells = dict(zip(head(lines)["#fields"].split("\t")[1:], row.split("\t"), strict=True))
    known = {
        "ts": "1.500000",
        "id.orig_h": "10.0.0.1",
        "id.orig_p": "40000",
        "proto": "tcp",
        "service": "-",
        "duration": "0.002500",
        "orig_bytes": "0",
        "conn_state": "REJ",
        "local_orig": "-",
        "missed_bytes": "0",
        "history": "Sr",
        "orig_pkts": "1",
        "orig_ip_bytes": "40",
        "resp_ip_bytes": "40",
        "tunnel_parents": "-",
    }
    assert {name: cells[name] for name in known} == known
    assert cells["uid"].startswith("C")
    assert len(cells["uid"]) == 18


def test_header_and_types_are_those_of_a_log_that_zeek_wrote(data):
    path = data / "ctu_sme11_zeek_labeled" / "conn.log.labeled"
    with path.open() as file:
        theirs = head(line.rstrip("\n") for line, _ in zip(file, range(8), strict=False))
    ours = head(log([]))
    for line in ("#separator", "#set_separator", "#empty_field", "#unset_field", "#path"):
        assert ours[line] == theirs[line]
    names, kinds = (
        [head_of[line].split("\t")[1:] for line in ("#fields", "#types")]
        for head_of in (ours, theirs)
    )
    zeek = dict(zip(*kinds, strict=True))
    mine = dict(zip(*names, strict=True))
    shared = [name for name in zeek if name not in ("label", "detailedlabel")]
    assert list(mine)[: len(shared)] == shared
    assert {name: mine[name] for name in shared} == {name: zeek[name] for name in shared}


def test_states_and_histories_are_words_of_a_log_that_zeek_wrote(data, make):
    """Letters and states that Zeek has, and none of our own."""
    captures = sorted((data / "ndpi" / "pcap").glob("*.pcap"))[:120]
    rows = [row for path in captures for row in make.rows("zeek-conn", path.read_bytes())]
    states = Counter(row["conn_state"] for row in rows)
    assert set(states) <= STATES
    assert len(states) >= 9, states
    letters = {letter for row in rows for letter in row["history"] or ""}
    assert letters <= set("SHADFRIQTWshadfriqtw")


def test_texts_cannot_break_a_line():
    schema = pa.schema([pa.field("label", pa.string())])
    rows = [{"label": text} for text in ("a\tb\nc", "-", "(empty)", "", None, "\\x09")]
    assert log(rows, schema)[-6:] == [
        r"a\x09b\x0ac",
        r"\x2d",
        r"\x28empty)",
        "(empty)",
        "-",
        r"\x5cx09",
    ]


def test_truth_is_t_and_f():
    schema = pa.schema([pa.field("local_orig", pa.bool_())])
    assert log([{"local_orig": True}, {"local_orig": False}], schema)[-2:] == ["T", "F"]
