"""The commands as they are typed: help, version, doctor, refusals, data, models outside a run."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import Command

COMMANDS = [
    *("run", "chat", "evaluate", "detect", "report", "lab", "doctor", "augment", "sites"),
    *(
        "runs list",
        "runs show",
        "runs resume",
        "runs approve",
        "runs reject",
        "runs edit",
        "runs abort",
    ),
    *("data inspect", "data clean", "data split", "data audit", "train baselines", "train cnn"),
]


def test_help_imports_nothing_heavy() -> None:
    """``netloop --help`` answers at once only while the command's modules import little."""
    script = "import sys, agents.terminal.app; print(*sys.modules)"
    loaded = set(subprocess.check_output([sys.executable, "-c", script], text=True).split())
    heavy = {
        "torch",
        "sklearn",
        "numpy",
        "pyarrow",
        "langgraph",
        "transformers",
        "scapy",
        "matplotlib",
        "pydantic",
    }
    assert "typer" in loaded
    assert not loaded & heavy


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(netloop: Command, command: str) -> None:
    shown = netloop(*command.split(), "--help")
    assert shown.code == 0
    assert f"Example: netloop {command}" in " ".join(shown.out.split())


@pytest.mark.parametrize("group", ["", "runs", "data", "train"])
def test_the_list_of_commands_cuts_no_sentence(netloop: Command, group: str) -> None:
    _, _, commands = netloop(*group.split(), "--help").out.partition("Commands:")
    assert len(commands.splitlines()) > 2
    assert "..." not in commands


def test_version(process: Command) -> None:
    shown = process("--version")
    assert (shown.code, shown.out.split()[0]) == (0, "netloop")
    assert shown.out.split()[1][0].isdigit()


@pytest.mark.parametrize(
    ("words", "choice"),
    [
        (("data", "split", ".", "--by", "month"), "'capture'"),
        (("data", "inspect", ".", "--granularity", "byte"), "'packet'"),
        (("lab", "lab", "--size", "huge"), "'tiny'"),
    ],
)
def test_a_choice_that_does_not_exist_names_those_that_do(
    netloop: Command, words: tuple[str, ...], choice: str
) -> None:
    shown = netloop(*words)
    assert shown.code == 2
    assert choice in shown.err


def test_doctor_tries_whether_the_workspace_can_be_written(netloop: Command) -> None:
    shown = netloop("doctor", "--workspace", "/proc/netloop")
    assert shown.code == 1
    assert "FAULT workspace /proc/netloop cannot be written" in shown.out
    assert "--workspace" in shown.out


def test_doctor_finds_this_installation_well(process: Command) -> None:
    shown = process("doctor")
    assert shown.code == 0, shown.out
    assert "FAULT" not in shown.out


def test_doctor_names_a_package_that_shadows_ours(process: Command, tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "__init__.py").write_text("")
    shown = process("doctor", env={"PYTHONPATH": str(tmp_path)})
    assert shown.code != 0


def bad_sources(folder: Path) -> dict[str, list[str]]:
    """Option text of ``netloop run`` by what is wrong with the data."""
    (folder / "empty").mkdir()
    (folder / "one_class").mkdir()
    (folder / "no_capture").mkdir()
    (folder / "one_class.csv").write_text("x,kind\n1,a\n2,a\n")
    (folder / "no_rows.csv").write_text("x,kind\n")
    (folder / "no_capture" / "a.pcap").write_bytes(b"this is no capture at all, only words" * 9)
    (folder / "no_capture" / "b.pcap").write_bytes(b"nor is this")
    return {
        "missing": ["data.source=nowhere"],
        "empty": ["data.source=empty"],
        "one class": ["data.source=one_class.csv"],
        "no rows": ["data.source=no_rows.csv"],
        "no capture": ["data.source=no_capture", "data.label=file"],
        "no such column": ["data.label=knid"],
        "unknown key": ["data.splt.by=time"],
        "unset variable": ["data.source=$NOT_SET_ANYWHERE/x"],
        "unknown mask": ["data.masks=[port]"],
        "unknown model": ["design.candidates=[forest]"],
    }


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("missing", "nowhere"),
        ("empty", "empty folder"),
        ("one class", "one class"),
        ("no rows", "no_rows.csv"),
        ("no capture", "no capture"),
        ("no such column", "kind"),
        ("unknown key", "did you mean 'split'"),
        ("unset variable", "NOT_SET_ANYWHERE"),
        ("unknown mask", "'port'"),
        ("unknown model", "'forest'"),
    ],
)
def test_bad_input_is_one_clear_sentence(
    netloop: Command, spec_file: Path, tmp_path: Path, fault: str, said: str
) -> None:
    changes = bad_sources(tmp_path)[fault]
    words = [word for change in changes for word in ("--set", change)]
    ended = netloop("run", spec_file, "--approve", "auto", *words)
    assert ended.code == 2, ended.err
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_a_workspace_that_cannot_be_written(
    netloop: Command, spec_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    ended = netloop("run", spec_file, "--workspace", tmp_path / "file" / "below")
    assert ended.code == 2
    assert "cannot be written" in ended.err


def test_the_workspace_by_option_by_variable_by_default(
    netloop: Command, spec_file: Path, tmp_path: Path
) -> None:
    variable = {"NETLOOP_WORKSPACE": str(tmp_path / "variable")}
    netloop("run", spec_file)
    netloop("run", spec_file, env=variable)
    netloop("run", spec_file, "--workspace", "after", env=variable)
    netloop("--workspace", "before", "run", spec_file)
    for name in (".netloop", "variable", "after", "before"):
        assert len(list((tmp_path / name / "runs").iterdir())) == 1, name


@pytest.mark.parametrize("run", ["20200101-000000-beef", "../../etc", "nonsense", "last"])
def test_an_unknown_run_is_refused(netloop: Command, run: str) -> None:
    ended = netloop("runs", "resume", run)
    assert ended.code == 2
    assert "netloop run" in ended.err


def test_detect_and_evaluate_with_a_packed_detector(
    netloop: Command, finished: Any, table: Path
) -> None:
    by_folder = netloop("detect", finished["detector"], table)
    by_run = netloop("detect", finished["run"], table)
    assert by_folder.code == by_run.code == 0
    assert by_folder.out == by_run.out
    assert len(by_folder.out.splitlines()) == 300
    scored = netloop("evaluate", finished["detector"], table, "--label", "kind", "--json")
    assert scored.code == 0, scored.err
    assert json.loads(scored.out)["models"][0]["macro_f1"] > 0.5


@pytest.mark.parametrize("name", ["nowhere", "20200101-000000-beef"])
def test_detect_with_what_is_no_detector(netloop: Command, table: Path, name: str) -> None:
    ended = netloop("detect", name, table)
    assert ended.code == 2
    assert "Traceback" not in ended.err


def test_train_out_makes_a_detector(netloop: Command, table: Path, tmp_path: Path) -> None:
    words = ("train", "baselines", table, "--label", "kind", "--by", "row", "--out", "forest")
    made = netloop(*words, "--json")
    assert made.code == 0, made.err
    assert {row["name"] for row in json.loads(made.out)["models"]} >= {"majority", "random_forest"}
    assert netloop("detect", tmp_path / "forest", table).code == 0
    again = netloop(*words)
    assert again.code == 2
    assert "is there already" in again.err


def test_a_table_is_split_by_row_unless_told_otherwise(netloop: Command, table: Path) -> None:
    ended = netloop("data", "split", table, "--label", "kind")
    assert ended.code == 0, ended.err
    assert "No group is on two sides." in ended.out


def test_data_commands_speak_json(netloop: Command, table: Path, tmp_path: Path) -> None:
    seen = json.loads(netloop("data", "inspect", table, "--label", "kind", "--json").out)
    assert seen["rows"]["classes"] == {"attack": 150, "normal": 150}
    words = (table, "--label", "kind", "--by", "row", "--json")
    sides = json.loads(netloop("data", "split", *words).out)
    assert sides["groups_on_two_sides"] == 0
    assert (tmp_path / sides["manifest"]).is_file()
    audited = json.loads(netloop("data", "audit", *words).out)
    assert {row["name"] for row in audited["fields"]} == {"duration", "bytes", "errors", "service"}


def test_chat_needs_a_terminal(netloop: Command) -> None:
    ended = netloop("chat", "find scans")
    assert ended.code == 2
    assert "needs a terminal" in ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--stress", "forest"), "There is no model 'forest'"),
        (("--picture", "audit.jpg"), "is no PNG"),
        (("--picture", "nowhere/audit.png"), "there is no folder nowhere"),
        (("--test-source", "nowhere"), "nowhere"),
    ],
)
def test_an_audit_that_cannot_be_made_is_refused(
    netloop: Command, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    rows = [f"{i},{'ab'[i % 2]}" for i in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["x,kind", *rows]))
    done = netloop("data", "audit", "t.csv", "--label", "kind", *words)
    assert done.code == 2 and said in done.err and done.out == ""


def test_a_second_source_is_tested_on_whole(netloop: Command, tmp_path: Path) -> None:
    for name, start in (("one.csv", 0), ("two.csv", 500)):
        rows = [f"{start + i * 7},{'ab'[i % 2]}" for i in range(60)]
        (tmp_path / name).write_text("\n".join(["x,kind", *rows]))
    words = ("one.csv", "--label", "kind", "--test-source", "two.csv", "--json")
    split = json.loads(netloop("data", "split", *words).out)
    assert (split["by"], split["sizes"]["test"]["rows"]) == ("fixed", 60)
    audit = json.loads(netloop("data", "audit", *words, "--stress", "majority").out)
    assert audit["verdict"] == "trustworthy"
    assert audit["stress"]["macro_f1"] == pytest.approx(1 / 3)
    assert audit["later"] is None and "Later traffic was not tried" in audit["advice"][-1]
