"""Results on the terminal: they fit it, they are all there, and foreign words stay words."""

import io
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from agents.checkpoints import Plan
from agents.output import AuditOutput, ModelOutput, PendingOutput, RunOutput, SplitOutput
from agents.terminal import render
from agents.terminal.tables import Column, print_table, say

HOSTILE = "[green]APPROVED[/] \x1b[2J\x1b]52;c;AA\x07\n\u202e\u200b\U000e0041\x9b2J"
WIDTHS = pytest.mark.parametrize("width", [40, 60, 80])


def model(name: str, f1: float, **more: Any) -> dict[str, Any]:
    return {
        "name": name, "macro_f1": f1, "ci": (f1 - 0.01, f1 + 0.01), "accuracy": f1,
        "rows_per_second": 21_300.4, "false_positive_rate": 0.0123, **more,
    }  # fmt: skip


def field(name: str, accuracy: float, verdict: str, masked: bool) -> dict[str, Any]:
    return {
        "name": name, "accuracy": accuracy, "majority": 0.067, "verdict": verdict, "masked": masked,
        "group": "ttl",
    }  # fmt: skip


MODELS = [
    model("random_forest", 0.886),
    model("hist_gradient_boosting", 0.879),
    model("cnn", 0.908),
]
FIELDS = [
    field("src_mac", 0.993, "shortcut", True),
    field("src2dst_ttl + bidirectional_packets", 0.717, "shortcut", False),
    field("dst_port", 0.491, "weak", True),
    field("protocol", 0.121, "none", False),
]
SPLIT = {
    "by": "time",
    "sizes": {
        "train": {"rows": 300, "groups": 299, "classes": {"Cridex": 100, "FTP": 200}},
        "validation": {"rows": 60, "groups": 60, "classes": {"Cridex": 20, "FTP": 40}},
        "test": {"rows": 210, "groups": 208, "classes": {"FTP": 210}},
    },
    "groups_on_two_sides": 0,
    "warnings": ["Cridex: no test flows."],
    "manifest": "/workspace/3f2a/manifest.json",
}
INSPECTION = {
    "source": {"path": "/captures", "label": "file", "reason": "every file is one class"},
    "rows": {"rows": 7129, "classes": {"Cridex": 411, "FTP": 344}, "warnings": ["Two look alike."]},
    "health": [
        {"file": "a.pcap", "packets": 1000, "bytes": 5_000_000, "truncated": 3, "corrupt": 0,
            "dropped": 0,
         "skipped": {"not IP": 7}, "corrupt_records": []},
        {"file": "b.pcap", "packets": 500, "bytes": 1_800_000, "truncated": 0, "corrupt": 12,
            "dropped": 0,
         "skipped": {"not IP": 1, "IPv6 fragment": 2},
         "corrupt_records": [{"offset": 182_044 + i, "reason": "too long"} for i in range(12)]},
    ],
}  # fmt: skip


def output(**more: Any) -> RunOutput:
    values: dict[str, Any] = {
        "run": "20260805-141503-9f2c",
        "status": "done",
        "findings": ["cnn reaches the target: macro_f1 0.908, wanted 0.9."],
        "split": SplitOutput(
            by="time",
            sizes={"train": 300, "validation": 60, "test": 210},
            groups={"train": 299, "validation": 60, "test": 208},
            groups_on_two_sides=0,
            manifest="/workspace/manifest.json",
        ),
        "audit": [AuditOutput(**row) for row in FIELDS],
        "models": [ModelOutput(**row) for row in MODELS],
        "best": "cnn",
        "detector": "/workspace/runs/20260805-141503-9f2c/artifacts/" + "3f" * 32,
        "report": "/workspace/runs/20260805-141503-9f2c/report.html",
        **more,
    }
    return RunOutput(**values)


def pending(plan: Plan) -> PendingOutput:
    return PendingOutput(
        stage=plan.stage, version=plan.version, digest=plan.digest(), plan=plan.model_dump()
    )


@WIDTHS
def test_a_finished_run(screen, width: int) -> None:
    view = screen(width)
    render.render_output(output(detector=None, report=None), view.console)
    view.check_width()
    assert view.words.startswith("Run 20260805-141503-9f2c: done - cnn reaches the target")
    for words in ("Split by time", "No group is on two sides.", "0.908", "0.898 to 0.918", "0.993"):
        assert words in view.words
    assert "protocol" not in view.text, "what gives nothing away is only counted"
    assert "1 more field, which tells no more than these." in view.words


def test_models_best_first_and_the_chosen_marked(screen) -> None:
    view = screen(80)
    render.render_models({"models": MODELS, "best": "cnn"}, view.console)
    lines = [line for line in view.text.splitlines() if re.search(r"0\.\d", line)]
    assert [line[:2] for line in lines] == ["* ", "  ", "  "]
    assert [line[2:].split()[0] for line in lines] == [
        "cnn",
        "random_forest",
        "hist_gradient_boosting",
    ]
    assert lines[0].split() == "* cnn 0.908 0.898 to 0.918 0.908 1.23% 21,300".split()  # noqa: SIM905


@WIDTHS
def test_models_keep_score_and_interval_at_any_width(screen, width: int) -> None:
    view = screen(width)
    render.render_models({"models": MODELS, "best": None}, view.console)
    view.check_width()
    assert "0.876 to 0.896" in view.text
    assert "chosen" not in view.text


@WIDTHS
def test_whole_captures_are_told_where_they_were_held_out(screen, width: int) -> None:
    score = {"captures": 4, "right": 0.75, "ci": [0.25, 1.0], "verdicts": {}}
    told = [{**row, "captures": score if row["name"] == "cnn" else None} for row in MODELS]
    view = screen(width)
    render.render_models({"models": told, "best": None}, view.console)
    view.check_width()
    assert "rows: cnn 3 of 4 (0.750, 95 % interval 0.250 to 1.000)." in view.words
    render.render_models({"models": MODELS, "best": None}, (view := screen(width)).console)
    assert "Whole captures" not in view.text


def test_what_was_not_measured_is_a_dash(screen) -> None:
    view = screen(80)
    bare = model("cnn", 0.5, rows_per_second=None, false_positive_rate=None)
    render.render_models({"models": [bare], "best": "cnn"}, view.console)
    measured = model("knn", 0.4, rows_per_second=12, false_positive_rate=0.01)
    render.render_models({"models": [measured], "best": "knn"}, view.console)
    lines = view.text.splitlines()
    assert "rows/s" not in lines[2]  # nobody measured it: no column of dashes
    assert "false pos." not in lines[2]
    mixed = screen(80)
    render.render_models({"models": [bare, measured], "best": "cnn"}, mixed.console)
    assert mixed.text.splitlines()[3].split()[-2:] == ["-", "-"]


def test_an_interval_that_says_nothing_is_explained(screen) -> None:
    view = screen(80)
    render.render_models(
        {"models": [model("cnn", 0.5, ci=[0.0, 1.0])], "best": "cnn"}, view.console
    )
    assert "too few split groups" in view.words
    telling = screen(80)
    render.render_models({"models": [model("cnn", 0.5)], "best": "cnn"}, telling.console)
    assert "too few split groups" not in telling.words


@WIDTHS
def test_a_detector_on_other_rows_was_not_chosen_there(screen, width: int) -> None:
    view = screen(width)
    render.render_score({"models": [model("cnn", 0.5)], "best": "cnn"}, view.console)
    view.check_width()
    assert "chosen" not in view.text
    assert "*" not in view.text


def detection(labels: dict[str, int], health: list[dict], **changes: object) -> dict:
    """What a detection tool gives."""
    found = {"rows": sum(labels.values()), "labels": labels, "health": health}
    return {**found, "granularity": "flow", "live": False, "warnings": [], **changes}


@WIDTHS
def test_detection_says_what_was_found_and_what_was_lost(screen, width: int) -> None:
    view = screen(width)
    labels = {"web": 3, "scan": 1200, "[red]": 1, "a": 1, "b": 1, "c": 1, "d": 1}
    render.render_detection(
        detection(labels, INSPECTION["health"], granularity="flow"), view.console
    )
    view.check_width()
    assert "1,208 flows: scan 1,200, web 3, [red] 1, a 1, b 1 and 2 more classes" in view.words
    assert "b.pcap at byte 182,044: too long" in view.words


def test_detection_of_sound_captures_is_one_line(screen) -> None:
    view = screen(80)
    sound = {**INSPECTION["health"][0], "skipped": {}, "truncated": 0, "corrupt": 0}
    render.render_detection(detection({"web": 1}, [sound]), view.console)
    assert view.text == "1 flow: web 1\n"
    render.render_detection(detection({}, [sound], granularity="packet"), view.console)
    assert view.text.endswith("0 packets\n")
    render.render_detection(detection({"a": 2}, [sound], granularity="table"), view.console)
    assert view.text.endswith("2 records: a 2\n")


def test_detection_tells_what_was_left_out(screen) -> None:
    view = screen(80)
    render.render_detection(detection({}, [], warnings=["b.pcap was left out."]), view.console)
    assert view.text == "0 flows\n- b.pcap was left out.\n"


def test_live_detection_always_tells_of_health_and_of_what_was_dropped(screen) -> None:
    view = screen(80)
    sound = {**INSPECTION["health"][0], "skipped": {}, "truncated": 0, "corrupt": 0}
    render.render_detection(detection({}, [sound], live=True), view.console)
    assert "Health of the captures" in view.text
    assert "dropped" not in view.text
    render.render_detection(detection({}, [{**sound, "dropped": 1200}]), view.console)
    assert "1,200 packets dropped by the system, being too many" in view.words


def test_a_run_that_failed_says_why(screen) -> None:
    view = screen(80)
    failed = RunOutput(run="20260805-141503-9f2c", status="failed", error="There is no /captures.")
    render.render_output(failed, view.console)
    assert view.words == "Run 20260805-141503-9f2c: failed There is no /captures."


def test_paths_are_not_broken_so_that_they_can_be_copied(screen) -> None:
    view = screen(40)
    found = output()
    render.render_output(found, view.console)
    assert f"detector: {found.detector}\n" in view.text
    assert f"report: {found.report}\n" in view.text


def test_a_split_that_leaks_is_said(screen) -> None:
    view = screen(80)
    render.render_split({**SPLIT, "groups_on_two_sides": 3}, view.console)
    assert "3 groups are on two sides: no score on this split counts." in view.text


@WIDTHS
def test_split_by_class(screen, width: int) -> None:
    view = screen(width)
    render.render_split(SPLIT, view.console)
    view.check_width()
    rows = [line.split() for line in view.text.splitlines()]
    assert ["Cridex", "100", "20", "0"] in rows
    assert ["all", "2", "classes", "300", "60", "210"] in rows
    assert "Cridex: no test flows." in view.text
    assert "manifest: /workspace/3f2a/manifest.json" in view.text


@WIDTHS
def test_inspection(screen, width: int) -> None:
    view = screen(width)
    render.render_inspection(INSPECTION, view.console)
    view.check_width()
    for words in (
        "7,129 rows of 2 classes",
        "2 captures, 1,500 packets, 6.8 MB read; 3 packets truncated, 10 skipped, 12 records",
        "b.pcap at byte 182,044: too long",
        "and 2 more; --json names them",
        "Two look alike.",
    ):
        assert words in view.words
    assert ["not", "IP", "8"] in [line.split() for line in view.text.splitlines()]


def test_inspection_tells_of_tunnels_and_fragments(screen) -> None:
    view = screen(100)
    told = [
        {"tunnels": {"VXLAN": 2, "GRE": 7}, "fragments": 3, "reassembled": 1, "fragments_lost": 1},
        {"tunnels": {"VXLAN": 9}, "too_nested": 1},
    ]
    health = [one | more for one, more in zip(INSPECTION["health"], told, strict=True)]
    render.render_inspection({**INSPECTION, "health": health}, view.console)
    for words in (
        "in tunnels: 11 VXLAN, 7 GRE",
        "1 packet in more tunnels than are opened",
        "1 datagram put together of 3 fragments, 1 lost",
    ):
        assert words in view.words
    plain = screen(100)
    render.render_inspection(INSPECTION, plain.console)
    assert "tunnels" not in plain.words and "fragments" not in plain.words


def test_inspection_of_a_table_has_no_captures(screen) -> None:
    view = screen(80)
    render.render_inspection({**INSPECTION, "health": []}, view.console)
    assert "captures" not in view.text.replace("/captures", "")


def record(**more: Any) -> dict[str, Any]:
    return {
        "id": "20260805-141503-9f2c",
        "status": "target_missed",
        "created": "2026-08-05T14:15:03+00:00",
        "spec": {"goal": "Tell the applications and malware families in these captures apart"},
        **more,
    }


@WIDTHS
def test_runs(screen, width: int) -> None:
    view = screen(width)
    render.render_runs([record(), record(status="paused")], view.console)
    view.check_width()
    lines = view.text.splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("20260805-141503-9f2c  target_missed")
    if width == 80:
        assert "2026-08-05 14:15  Tell the applic" in lines[1]


def test_no_runs(screen) -> None:
    view = screen(80)
    render.render_runs([], view.console)
    assert "netloop run SPEC.yaml" in view.text


def test_a_paused_run_shows_the_plan_and_the_way_on(plan: Plan, screen) -> None:
    view = screen(80)
    waiting = RunOutput(run="20260805-141503-9f2c", status="paused", pending=pending(plan))
    render.render_paused(waiting, Path(".netloop"), view.console)
    assert "Stage 2/5: cleaning, version 2" in view.text
    assert "\n  netloop runs approve 20260805-141503-9f2c\n" in view.text
    assert "--workspace" not in view.text


def test_the_way_on_names_another_workspace(plan: Plan, screen) -> None:
    view = screen(80)
    waiting = RunOutput(run="20260805-141503-9f2c", status="paused", pending=pending(plan))
    render.render_paused(waiting, Path("/tmp/my runs"), view.console)
    assert "  netloop runs approve 20260805-141503-9f2c --workspace '/tmp/my runs'\n" in view.text


def test_a_plan_on_the_screen_is_not_shown_twice(plan: Plan, screen) -> None:
    view = screen(80)
    waiting = RunOutput(run="20260805-141503-9f2c", status="paused", pending=pending(plan))
    render.render_paused(waiting, Path(".netloop"), view.console, with_plan=False)
    assert "Stage 2/5" not in view.text
    assert "netloop runs approve 20260805-141503-9f2c" in view.text


def test_a_run_that_does_not_wait_has_no_way_on(screen) -> None:
    view = screen(80)
    render.render_paused(output(), Path(".netloop"), view.console)
    assert view.text == ""


@WIDTHS
def test_hostile_words_are_inert_everywhere(plan: Plan, screen, width: int) -> None:
    view = screen(width)
    models = [model(HOSTILE, 0.9)]
    sizes = {side: {"rows": 1, "groups": 1, "classes": {HOSTILE: 1}} for side in SPLIT["sizes"]}
    health = [{**INSPECTION["health"][1], "file": HOSTILE, "skipped": {HOSTILE: 1}}]
    health[0]["corrupt_records"] = [{"offset": 1, "reason": HOSTILE}]
    source = {"path": HOSTILE, "label": HOSTILE, "reason": HOSTILE}
    rows = {"rows": 1, "classes": {HOSTILE: 1}, "warnings": [HOSTILE]}
    render.render_models({"models": models, "best": HOSTILE}, view.console)
    render.render_split(
        {**SPLIT, "by": HOSTILE, "sizes": sizes, "warnings": [HOSTILE], "manifest": HOSTILE},
        view.console,
    )
    render.render_inspection({"source": source, "rows": rows, "health": health}, view.console)
    render.render_runs([record(id=HOSTILE, status=HOSTILE, spec={"goal": HOSTILE})], view.console)
    named = output(run=HOSTILE, error=HOSTILE, findings=[HOSTILE], report=HOSTILE)
    render.render_output(named, view.console)
    assert view.text.count("[green]") > 10
    for character in view.text.replace("\n", ""):
        assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn")


def test_colour_on_a_terminal_only_and_not_where_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")

    def sent(terminal: bool) -> str:
        console = Console(file=io.StringIO(), force_terminal=terminal, width=80, markup=False)
        render.render_output(output(), console)
        return console.file.getvalue()  # type: ignore[attr-defined]

    monkeypatch.delenv("NO_COLOR", raising=False)
    colour = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
    assert colour.search(sent(terminal=True))
    assert "\x1b" not in sent(terminal=False)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colour.search(sent(terminal=True))


def test_a_narrow_table_gives_up_spare_columns_then_letters_of_the_first(screen) -> None:
    columns = [Column("name"), Column("score", number=True), Column("note", spare=True)]
    rows = [["x" * 70, 0.5, "spare"]]
    wide, narrow = screen(40), screen(24)
    print_table(wide.console, columns, rows)
    print_table(narrow.console, columns, rows)
    assert "x…  0.500  spare" in wide.text
    assert "note" not in narrow.text
    assert "x" * 15 + "…  0.500" in narrow.text


@WIDTHS
@pytest.mark.parametrize("indent", [0, 2])
def test_a_sentence_leaves_no_blanks_behind_it(screen, width: int, indent: int) -> None:
    view = screen(width)
    say(view.console, "four words, said often. " * 12, indent=indent)
    view.check_width()
    for line in view.text.splitlines():
        assert line == line.rstrip()
        assert line.startswith(" " * indent + "four") or line[indent] != " "
