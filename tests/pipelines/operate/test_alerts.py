"""What verdicts add up to: counted from lines in bounded memory, compared with the test side."""

import io
import json
import tracemalloc
from typing import Any

import numpy as np
import pytest

from pipelines.operate.alerts import (
    LONGEST_LINE,
    AlertFacts,
    Reference,
    Tally,
    alert_facts,
    read_verdicts,
)
from pipelines.operate.detector import DetectorManifest
from pipelines.operate.eve import eve_line, table_records

CLASSES = ["benign", "beacon", "scan"]
FLOW = (
    b'{"timestamp":"2025-03-03T09:00:00.000001+0000","flow_id":7,"event_type":"%s",'
    b'"src_ip":"10.0.0.1","dest_ip":"10.0.0.2","proto":"TCP","ml":{"detector":"d","model":"m",'
    b'"label":"%s","confidence":%s,"probabilities":{},"unknown":%s}}\n'
)


def line(
    label: str = "benign",
    score: str = "0.9",
    kind: str = "flow",
    unknown: str = "false",
    at: str = "",
) -> bytes:
    written = FLOW % (kind.encode(), label.encode(), score.encode(), unknown.encode())
    return written.replace(b"2025-03-03T09:00:00.000001+0000", at.encode()) if at else written


def tally_of(*lines: bytes) -> Tally:
    return read_verdicts(io.BytesIO(b"".join(lines)), CLASSES)


def facts_of(
    *lines: bytes, training: dict[str, int] | None = None, tested: Reference | None = None
) -> AlertFacts:
    return alert_facts(tally_of(*lines), training or {}, tested)


def test_events_and_alerts_by_class() -> None:
    facts = facts_of(
        *[line()] * 6,
        *[line("scan", "0.8", "alert")] * 3,
        line("beacon", "0.5", "alert"),
        training={"benign": 30, "scan": 10},
    )
    assert (facts.events, facts.alerts, facts.unsure, facts.unknown) == (10, 4, 1, 0)
    assert [*facts.classes] == ["benign", "scan", "beacon"], "the most frequent first"
    scan = facts.classes["scan"]
    assert (scan.events, scan.alerts, scan.share, scan.share_in_training) == (3, 3, 0.3, 0.25)
    assert facts.classes["beacon"].share_in_training == 0, "the detector never saw one"
    assert (facts.mix, facts.scores, facts.unsure_in_test) == (None, None, None)


def test_a_class_without_events_is_left_out() -> None:
    assert [*facts_of(line("scan")).classes] == ["scan"]
    assert facts_of(line("scan")).classes["scan"].share_in_training is None


def test_percentiles_are_exact() -> None:
    scores = [number / 10_000 for number in range(5_001, 5_101)]
    facts = facts_of(*(line("scan", str(score)) for score in reversed(scores)))
    assert facts.classes["scan"].scores == (0.5005, 0.505, 0.5095)
    assert facts_of(line("scan", "1.0")).classes["scan"].scores == (1.0, 1.0, 1.0)


def test_unknown_events_are_not_counted_as_unsure_too() -> None:
    facts = facts_of(line(score="0.3", unknown="true"), line(score="0.5999"), line(score="0.6"))
    assert (facts.unknown, facts.unsure) == (1, 1)


def test_alerts_an_hour_over_the_span_whatever_the_order() -> None:
    facts = facts_of(
        line("scan", kind="alert", at="2025-03-03T10:30:00.000000+0000"),
        line("scan", kind="alert", at="2025-03-03T09:00:00.000000+0000"),
        line("scan", kind="alert", at="2025-03-03T12:00:00.000000+0100"),
    )
    assert facts.hours == 2
    assert facts.alerts_per_hour == 1.5
    assert facts.first == "2025-03-03T09:00:00+00:00"
    assert facts.last == "2025-03-03T12:00:00+01:00"


@pytest.mark.parametrize("at", ["soon", "2025-13-03T09:00:00", "9" * 5_000])
def test_events_without_a_time_are_counted(at: str) -> None:
    facts = facts_of(line("scan", kind="alert", at=at))
    assert (facts.events, facts.hours, facts.alerts_per_hour) == (1, None, None)


def test_a_time_without_a_zone_is_utc() -> None:
    facts = facts_of(line(at="2025-03-03T09:00:00"), line(at="2025-03-03T10:00:00.000000+0000"))
    assert facts.hours == 1


def test_a_moment_says_nothing_of_an_hour() -> None:
    first, last = "2025-03-03T09:00:00.000000+0000", "2025-03-03T09:00:59.000000+0000"
    facts = facts_of(line(kind="alert", at=first), line(kind="alert", at=last))
    assert facts.hours == pytest.approx(59 / 3600)
    assert facts.alerts_per_hour is None


@pytest.mark.parametrize(
    "bad",
    [
        b'{"event_type":"flow"\n',
        b"\xff\xfe\x00\x01\n",
        b"[" * 200_000 + b"\n",
        b'{"a":' + b"9" * 10_000 + b"}\n",
        line(score="1.5"),
        line(score="-0.1"),
        line(score="NaN"),
        line(score="Infinity"),
        line(score='"0.9"'),
        line(score="null"),
        line(score="1" + "0" * 400),
    ],
)
def test_lines_that_cannot_be_read_are_counted(bad: bytes) -> None:
    found = tally_of(line(), bad, line())
    assert (found.bad, found.other, found.scores["benign"].total()) == (1, 0, 2)


@pytest.mark.parametrize(
    "other",
    [
        b"[]\n",
        b"7\n",
        b'{"event_type":"dns"}\n',
        b'{"ml":null}\n',
        b'{"ml":{}}\n',
        b'{"ml":{"label":["benign"],"confidence":0.9}}\n',
        b'{"ml":{"label":{},"confidence":0.9}}\n',
        line("of another detector"),
    ],
)
def test_records_of_others_are_counted_apart(other: bytes) -> None:
    found = tally_of(line(), other)
    assert (found.bad, found.other, found.scores["benign"].total()) == (0, 1, 1)
    assert {*found.scores} == {*CLASSES}, "what a file says makes no class"


def test_blank_lines_and_a_last_line_without_its_end() -> None:
    found = tally_of(b"\n", line(), b"  \r\n", line().rstrip(b"\n"))
    assert (found.scores["benign"].total(), found.bad) == (2, 0)
    assert tally_of(line(), line()[:50]).bad == 1, "a line that is being written"


def test_a_line_that_never_ends_is_one_bad_line_and_fills_no_memory() -> None:
    endless = io.BytesIO(b'{"x":"' + b"a" * (20 * LONGEST_LINE) + b'"}\n' + line())
    tracemalloc.start()
    try:
        found = read_verdicts(endless, CLASSES)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (found.bad, found.scores["benign"].total()) == (1, 1)
    assert peak < 5 * LONGEST_LINE


def test_the_mix_is_compared_with_what_the_model_called_the_test_rows() -> None:
    lines = [*[line()] * 90, *[line("scan")] * 10]
    same = facts_of(*lines, tested=Reference({"benign": 900, "scan": 100}))
    moved = facts_of(*lines, tested=Reference({"benign": 500, "scan": 300, "beacon": 200}))
    assert same.mix is not None and same.mix.verdict == "none"
    assert moved.mix is not None and moved.mix.verdict == "large"
    assert (same.scores, same.unsure_in_test) == (None, None), "no scores were recorded"


def test_scores_are_compared_where_they_were_recorded() -> None:
    recorded = [0] * 100
    recorded[55], recorded[97] = 100, 900
    tested = Reference({"benign": 1000}, recorded)
    as_before = facts_of(*[line(score="0.97")] * 900, *[line(score="0.55")] * 100, tested=tested)
    less_sure = facts_of(*[line(score="0.75")] * 100, tested=tested)
    assert as_before.unsure_in_test == 0.1
    assert as_before.scores is not None and as_before.scores.psi == pytest.approx(0, abs=1e-3)
    assert less_sure.scores is not None and less_sure.scores.verdict == "large"
    assert less_sure.mix is not None and less_sure.mix.verdict == "none"


def test_scores_by_hundredths() -> None:
    found = tally_of(line(score="0"), line(score="0.0099"), line(score="0.99"), line(score="1.0"))
    bins = found.hundredths()
    assert (bins[0], bins[99], sum(bins)) == (2, 2, 4)


def test_what_netloop_writes_is_what_is_read() -> None:
    manifest = DetectorManifest(
        name="m", goal="", granularity="table", masks=[], model="m", classes=CLASSES,
        netloop="0", files={}, benign=["benign"], thresholds={"scan": 0.7},
    )  # fmt: skip
    probabilities = np.array([[0.9, 0.1, 0], [0.1, 0.55, 0.35], [0.2, 0.15, 0.65], [0, 0.2, 0.8]])
    lines = [eve_line(record) for record in table_records(1, probabilities, manifest)]
    facts = facts_of("\n".join(lines).encode())
    assert (facts.events, facts.alerts, facts.unknown, facts.unsure) == (4, 2, 1, 1)
    assert facts.classes["scan"].events == 2, "an unknown one keeps its best class"
    assert facts.classes["scan"].alerts == 1
    assert facts.hours is None, "a record of a table has no time"


def test_numbers_are_all_that_is_kept() -> None:
    kept: dict[str, Any] = json.loads(facts_of(line(), line("scan")).model_dump_json())
    assert "10.0.0" not in json.dumps(kept)
