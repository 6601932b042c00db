"""The command line as a person or a script meets it: real processes, exit codes, both streams."""

import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[3]
NETLOOP = Path(sys.executable).with_name("netloop")
SCHEMA = json.loads((REPOSITORY / "docs" / "run-output.schema.json").read_text())

COMMANDS = [
    *("run", "chat", "evaluate", "detect", "report", "lab", "doctor"),
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

Netloop = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def netloop(tmp_path: Path) -> Netloop:
    """Run the command in an empty folder, with no terminal and no key."""

    def run(*words: object, **options: Any) -> subprocess.CompletedProcess[str]:
        environment = {
            k: v for k, v in os.environ.items() if not k.startswith(("NETLOOP_", "OPENAI_"))
        }
        environment |= {"COLUMNS": "80", **options.pop("env", {})}
        return subprocess.run(
            [NETLOOP, *map(str, words)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=300,
            **options,
        )

    return run


@pytest.fixture
def spec_file(tmp_path: Path, table: Path) -> Path:
    """A spec over the small table, with fast candidates."""
    path = tmp_path / "spec.yaml"
    content = {
        "goal": "Tell attacks from normal records",
        "data": {"source": str(table), "label": "kind"},
        "design": {"candidates": ["majority", "logistic_regression"]},
    }
    path.write_text(yaml.safe_dump(content))
    return path


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
def test_every_command_has_help_with_an_example(netloop: Netloop, command: str) -> None:
    shown = netloop(*command.split(), "--help")
    assert shown.returncode == 0
    assert f"Example: netloop {command}" in " ".join(shown.stdout.split())


@pytest.mark.parametrize("group", ["", "runs", "data", "train"])
def test_the_list_of_commands_cuts_no_sentence(netloop: Netloop, group: str) -> None:
    _, _, commands = netloop(*group.split(), "--help").stdout.partition("Commands:")
    assert len(commands.splitlines()) > 2
    assert "..." not in commands


def test_version(netloop: Netloop) -> None:
    shown = netloop("--version")
    assert (shown.returncode, shown.stdout.split()[0]) == (0, "netloop")
    assert shown.stdout.split()[1][0].isdigit()


@pytest.mark.parametrize(
    ("words", "choice"),
    [
        (("data", "split", ".", "--by", "month"), "'capture'"),
        (("data", "inspect", ".", "--granularity", "byte"), "'packet'"),
        (("lab", "lab", "--size", "huge"), "'tiny'"),
    ],
)
def test_a_choice_that_does_not_exist_names_those_that_do(
    netloop: Netloop, words: tuple[str, ...], choice: str
) -> None:
    shown = netloop(*words)
    assert shown.returncode == 2
    assert choice in shown.stderr


def test_doctor_tries_whether_the_workspace_can_be_written(netloop: Netloop) -> None:
    shown = netloop("doctor", "--workspace", "/proc/netloop")
    assert shown.returncode == 1
    assert "FAULT workspace /proc/netloop cannot be written" in shown.stdout
    assert "--workspace" in shown.stdout


def test_doctor_finds_this_installation_well(netloop: Netloop) -> None:
    shown = netloop("doctor")
    assert shown.returncode == 0, shown.stdout
    assert "FAULT" not in shown.stdout


def test_doctor_names_a_package_that_shadows_ours(netloop: Netloop, tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "__init__.py").write_text("")
    shown = netloop("doctor", env={"PYTHONPATH": str(tmp_path)})
    assert shown.returncode != 0


def test_a_run_to_the_end_as_json(netloop: Netloop, spec_file: Path) -> None:
    ended = netloop("run", spec_file, "--approve", "auto", "--json")
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    jsonschema.validate(found, SCHEMA)
    assert found["status"] == "done"
    assert found["split"]["groups_on_two_sides"] == 0
    assert Path(found["split"]["manifest"]).is_file()
    assert Path(found["detector"]).is_dir()
    assert Path(found["report"]).is_file()
    assert {row["name"] for row in found["models"]} == {"majority", "logistic_regression"}
    assert found["best"] == "logistic_regression"
    assert all(row["ci"][0] <= row["macro_f1"] <= row["ci"][1] for row in found["models"])


def test_the_schema_in_the_docs_is_the_model() -> None:
    from agents.output import RunOutput

    assert RunOutput.model_json_schema() == SCHEMA


def test_a_run_to_the_end_for_people(netloop: Netloop, spec_file: Path) -> None:
    ended = netloop("run", spec_file, "--approve", "auto")
    assert ended.returncode == 0
    assert "logistic_regression" in ended.stdout
    assert "No group is on two sides." in ended.stdout
    lines = [
        line for line in ended.stdout.splitlines() if not line.startswith(("detector:", "report:"))
    ]
    assert max(map(len, lines)) <= 80


def test_without_a_terminal_it_pauses_and_says_how_to_go_on(
    netloop: Netloop, spec_file: Path
) -> None:
    paused = netloop("run", spec_file, "--approve", "ask", "--json")
    assert paused.returncode == 3
    found = json.loads(paused.stdout)
    jsonschema.validate(found, SCHEMA)
    assert (found["status"], found["pending"]["stage"]) == ("paused", "requirements")
    assert f"netloop runs approve {found['run']}" in paused.stderr
    stages = []
    for _ in range(5):
        stages.append(found["pending"]["stage"])
        step = netloop("runs", "approve", found["run"], "--json")
        found = json.loads(step.stdout)
    assert stages == ["requirements", "cleaning", "augmentation", "design", "operation"]
    assert (step.returncode, found["status"], found["pending"]) == (0, "done", None)


def test_reject_edit_and_approve_from_the_command_line(netloop: Netloop, spec_file: Path) -> None:
    netloop("run", spec_file)
    netloop("runs", "approve", "last", "--answer", "record_requirements.target=0.6")
    refused = netloop("runs", "reject", "last", "--reason", "30% for test, and drop nothing")
    assert refused.returncode == 3
    assert "~ split_rows.test: 0.5 -> 0.3" in refused.stderr
    edited = netloop(
        "runs", "edit", "last", "split_rows.test=0.4", "clean_rows.filters=[]", "--json"
    )
    assert edited.returncode == 3
    plan = json.loads(edited.stdout)["pending"]["plan"]
    assert plan["version"] == 3
    assert "~ split_rows.test: 0.3 -> 0.4" in plan["changes"]
    assert netloop("runs", "approve", "last").returncode == 3
    shown = json.loads(netloop("runs", "show", "last", "--json").stdout)
    assert shown["pending"]["stage"] == "augmentation"
    assert shown["split"]["sizes"]["test"] == 120


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["edit", "last", "split_rows.test=7"], "less than 1"),
        (["edit", "last", "nothing.test=0.3"], "names no step"),
        (["edit", "last", "test"], "is not step.parameter=value"),
        (["reject", "last", "--reason", " "], "needs words"),
        (["approve", "last", "--answer", "split_rows.test=0.3"], "does not ask"),
    ],
)
def test_a_bad_decision_changes_nothing(
    netloop: Netloop, spec_file: Path, words: list[str], said: str
) -> None:
    netloop("run", spec_file)
    netloop("runs", "approve", "last")
    refused = netloop("runs", *words)
    assert refused.returncode == 2
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr
    shown = json.loads(netloop("runs", "show", "last", "--json").stdout)
    assert (shown["status"], shown["pending"]["stage"], shown["pending"]["version"]) == (
        "paused",
        "cleaning",
        1,
    )


def test_abort_exits_with_4(netloop: Netloop, spec_file: Path) -> None:
    netloop("run", spec_file)
    assert netloop("runs", "abort", "last", "--reason", "wrong data").returncode == 4
    assert json.loads(netloop("runs", "list", "--json").stdout)[0]["status"] == "refused"


def test_a_policy_approves_refuses_or_leaves_it_to_a_person(
    netloop: Netloop, spec_file: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("rules: [{stage: requirements, decide: approve}]\n")
    paused = netloop("run", spec_file, "--approve", policy, "--json")
    assert paused.returncode == 3
    assert json.loads(paused.stdout)["pending"]["stage"] == "cleaning"
    policy.write_text("rules: [{tool: split_rows, decide: refuse}, {decide: approve}]\n")
    assert netloop("runs", "resume", "last").returncode == 4
    policy.write_text("rules: [{decide: approve}]\n")
    assert netloop("run", spec_file, "--approve", policy).returncode == 0


def test_a_missed_target_exits_with_1_and_keeps_everything(
    netloop: Netloop, spec_file: Path
) -> None:
    ended = netloop(
        "run", spec_file, "--approve", "auto", "--json", "--set", "requirements.target=1.0"
    )
    found = json.loads(ended.stdout)
    assert (ended.returncode, found["status"]) == (1, "target_missed")
    assert Path(found["detector"]).is_dir()
    assert "target" in Path(found["report"]).read_text()


def test_a_spent_budget_exits_with_5(netloop: Netloop, spec_file: Path) -> None:
    ended = netloop(
        "run", spec_file, "--approve", "auto", "--json", "--set", "budget.minutes=0.000001"
    )
    assert ended.returncode == 5
    assert json.loads(ended.stdout)["status"] == "budget"


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
    netloop: Netloop, spec_file: Path, tmp_path: Path, fault: str, said: str
) -> None:
    changes = bad_sources(tmp_path)[fault]
    words = [word for change in changes for word in ("--set", change)]
    ended = netloop("run", spec_file, "--approve", "auto", *words)
    assert ended.returncode == 2, ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_workspace_that_cannot_be_written(
    netloop: Netloop, spec_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    ended = netloop("run", spec_file, "--workspace", tmp_path / "file" / "below")
    assert ended.returncode == 2
    assert "cannot be written" in ended.stderr


def test_the_workspace_by_option_by_variable_by_default(
    netloop: Netloop, spec_file: Path, tmp_path: Path
) -> None:
    netloop("run", spec_file)
    netloop("run", spec_file, env={"NETLOOP_WORKSPACE": str(tmp_path / "variable")})
    netloop(
        "run",
        spec_file,
        "--workspace",
        "after",
        env={"NETLOOP_WORKSPACE": str(tmp_path / "variable")},
    )
    netloop("--workspace", "before", "run", spec_file)
    for name in (".netloop", "variable", "after", "before"):
        assert len(list((tmp_path / name / "runs").iterdir())) == 1, name


@pytest.mark.parametrize("run", ["20200101-000000-beef", "../../etc", "nonsense", "last"])
def test_an_unknown_run_is_refused(netloop: Netloop, run: str) -> None:
    ended = netloop("runs", "resume", run)
    assert ended.returncode == 2
    assert "netloop run" in ended.stderr


def test_approving_a_run_that_waits_for_nothing(netloop: Netloop, spec_file: Path) -> None:
    netloop("run", spec_file, "--approve", "auto")
    ended = netloop("runs", "approve", "last")
    assert ended.returncode == 1
    assert "no plan that waits" in ended.stderr


def test_a_second_process_is_told_that_the_run_is_taken(
    netloop: Netloop, spec_file: Path, tmp_path: Path
) -> None:
    netloop("run", spec_file)
    (run,) = (tmp_path / ".netloop" / "runs").iterdir()
    with (run / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = netloop("runs", "approve", run.name)
    assert ended.returncode == 1
    assert "being worked on by another netloop" in ended.stderr
    assert netloop("runs", "approve", run.name).returncode == 3


def started_step(run: Path, tool: str) -> bool:
    log = run / "events.jsonl"
    return log.exists() and any(
        '"step.started"' in line and f'"{tool}"' in line for line in log.read_text().splitlines()
    )


@pytest.fixture
def training(tmp_path: Path, spec_file: Path) -> tuple[subprocess.Popen[bytes], Path]:
    """A run in the middle of training a CNN that would take very long, and its folder."""
    words = ["run", spec_file, "--approve", "auto", "--set", "design.candidates=[majority,cnn]"]
    with (tmp_path / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            [NETLOOP, *words, "--set", "design.epochs=9999", "--set", "data.split.validation=0.3"],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = list((tmp_path / ".netloop" / "runs").glob("*"))
        if found and started_step(found[0], "train_cnn"):
            return process, found[0]
        time.sleep(0.05)
    process.kill()
    raise AssertionError("training never began")


def test_kill_9_in_the_middle_of_training_then_resume(
    netloop: Netloop, training: tuple[subprocess.Popen[bytes], Path]
) -> None:
    process, run = training
    process.send_signal(signal.SIGKILL)
    process.wait()
    listed = json.loads(netloop("runs", "list", "--json").stdout)
    assert [record["status"] for record in listed] == ["interrupted"]
    before = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    done = [e["data"]["tool"] for e in before if e["type"] == "step.finished"]
    assert done[-1] == "train_baselines"
    ended = netloop("runs", "resume", run.name, "--json")
    assert ended.returncode == 0, ended.stderr
    after = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    finished = [e["data"]["tool"] for e in after if e["type"] == "step.finished"]
    assert finished[: len(done)] == done
    assert len(finished) == len(set(finished)), "no finished step was repeated"


def test_ctrl_c_twice_stops_now_and_the_run_can_be_resumed(
    netloop: Netloop, training: tuple[subprocess.Popen[bytes], Path], tmp_path: Path
) -> None:
    process, run = training
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    said = (tmp_path / "stderr").read_text()
    assert "Stopping after this step" in said
    assert f"Run {run.name} was interrupted in the middle of a step." in " ".join(said.split())
    assert f"netloop runs resume {run.name}" in said
    assert json.loads((run / "run.json").read_text())["status"] == "interrupted"
    assert netloop("runs", "resume", run.name).returncode == 0


def test_a_reader_that_leaves_is_no_error_message(
    netloop: Netloop, spec_file: Path, tmp_path: Path, table: Path
) -> None:
    netloop("run", spec_file, "--approve", "auto")
    piped = subprocess.run(
        f"{NETLOOP} detect last {table} | head -n 1",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert json.loads(piped.stdout)["ml"]["label"] in ("attack", "normal")
    assert "Traceback" not in piped.stderr


def test_detect_and_evaluate_with_a_packed_detector(
    netloop: Netloop, spec_file: Path, table: Path
) -> None:
    found = json.loads(netloop("run", spec_file, "--approve", "auto", "--json").stdout)
    by_folder = netloop("detect", found["detector"], table)
    by_run = netloop("detect", found["run"], table)
    assert by_folder.returncode == by_run.returncode == 0
    assert by_folder.stdout == by_run.stdout
    assert len(by_folder.stdout.splitlines()) == 300
    scored = netloop("evaluate", found["detector"], table, "--label", "kind", "--json")
    assert scored.returncode == 0, scored.stderr
    assert json.loads(scored.stdout)["models"][0]["macro_f1"] > 0.5


@pytest.mark.parametrize("name", ["nowhere", "20200101-000000-beef"])
def test_detect_with_what_is_no_detector(netloop: Netloop, table: Path, name: str) -> None:
    ended = netloop("detect", name, table)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr


def test_train_out_makes_a_detector(netloop: Netloop, table: Path, tmp_path: Path) -> None:
    made = netloop(
        "train", "baselines", table, "--label", "kind", "--by", "row", "--out", "forest", "--json"
    )
    assert made.returncode == 0, made.stderr
    assert {row["name"] for row in json.loads(made.stdout)["models"]} >= {
        "majority",
        "random_forest",
    }
    assert netloop("detect", tmp_path / "forest", table).returncode == 0
    again = netloop(
        "train", "baselines", table, "--label", "kind", "--by", "row", "--out", "forest"
    )
    assert again.returncode == 2
    assert "is there already" in again.stderr


def test_a_table_is_split_by_row_unless_told_otherwise(netloop: Netloop, table: Path) -> None:
    ended = netloop("data", "split", table, "--label", "kind")
    assert ended.returncode == 0, ended.stderr
    assert "No group is on two sides." in ended.stdout


def test_a_closed_stdout_is_no_traceback(netloop: Netloop, table: Path) -> None:
    shell = 'exec "$0" data inspect "$1" --label kind >&-'
    ended = subprocess.run(
        ["sh", "-c", shell, NETLOOP, table], cwd=table.parent, capture_output=True, text=True
    )
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_one_sentence(table: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [NETLOOP, "data", "inspect", table, "--label", "kind"],
            cwd=table.parent,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert ended.returncode == 1
    assert "netloop: No space left on device." in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr


def test_data_commands_speak_json(netloop: Netloop, table: Path) -> None:
    seen = json.loads(netloop("data", "inspect", table, "--label", "kind", "--json").stdout)
    assert seen["rows"]["classes"] == {"attack": 150, "normal": 150}
    sides = json.loads(
        netloop("data", "split", table, "--label", "kind", "--by", "row", "--json").stdout
    )
    assert sides["groups_on_two_sides"] == 0
    assert Path(sides["manifest"]).is_file()
    audited = json.loads(
        netloop("data", "audit", table, "--label", "kind", "--by", "row", "--json").stdout
    )
    assert {row["name"] for row in audited["fields"]} == {"duration", "bytes", "errors", "service"}


class Terminal:
    """A netloop process on a pseudo-terminal of 80 columns."""

    def __init__(self, folder: Path, *words: object) -> None:
        self.screen = self.unread = ""
        pid, self.handle = pty.fork()
        if pid == 0:
            os.chdir(folder)
            os.environ.pop("PYTHONUNBUFFERED", None)  # a person's shell does not set it
            os.environ.update(TERM="xterm", COLUMNS="80", LINES="50")
            os.execv(NETLOOP, [str(NETLOOP), *map(str, words)])
        self.pid = pid

    def until(self, text: str) -> None:
        """Read until ``text`` appears after what the last call found."""
        deadline = time.monotonic() + 120
        while text not in self.unread:
            assert time.monotonic() < deadline, f"{text!r} never came:\n{self.unread}"
            if select.select([self.handle], [], [], 0.2)[0]:
                self._read()
        self.unread = self.unread.partition(text)[2]

    def menu(self) -> None:
        """Read until the keys are shown and the prompt below them listens: it asks for pastes to
        be marked when it has the terminal, and what is typed sooner may be lost."""
        self.until("resume later")
        self.until("\x1b[?2004h")

    def _read(self) -> bool:
        """One piece of output, if the process has not ended."""
        try:
            piece = os.read(self.handle, 65536).decode(errors="replace")
        except OSError:
            return False
        self.screen += piece
        self.unread += piece
        return bool(piece)

    def type(self, text: str) -> None:
        os.write(self.handle, f"{text}\r".encode())

    def end(self) -> int:
        """Read on until the process ends; its exit code."""
        while self._read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_a_person_approves_at_the_terminal(tmp_path: Path, spec_file: Path) -> None:
    at = Terminal(tmp_path, "run", spec_file)
    at.menu()
    at.type("w why is the metric macro f1?")
    at.until("every class counts the same")
    at.menu()
    at.type("")  # approve; three questions follow
    for question in ("score must", "false alarms", "nothing to report"):
        at.until(question)
        at.type("")
    at.menu()
    at.type("r only 30% for the test")
    at.until("0.5 -> 0.3")
    at.menu()
    at.type("l")  # rows that the filters would move; decides nothing
    at.until("would move")
    at.menu()
    for _ in range(3):
        at.type("")
        at.menu()
    at.type("")
    assert at.end() == 0
    assert "logistic_regression" in at.screen
    assert at.screen.count("Stage 1/5") == 1  # the answer to "why" pushes no plan off the screen
    assert "\x1b[6n" not in at.screen  # nobody waits for where the cursor is


def test_a_person_may_leave_and_come_back(
    netloop: Netloop, tmp_path: Path, spec_file: Path
) -> None:
    at = Terminal(tmp_path, "run", spec_file)
    at.menu()
    at.type("q")
    assert at.end() == 3
    assert at.screen.count("Stage 1/5") == 1
    assert netloop("runs", "resume", "last", "--approve", "auto").returncode == 0


def test_chat_asks_for_the_goal_and_the_data(tmp_path: Path, table: Path) -> None:
    at = Terminal(tmp_path, "chat")
    at.until("What do you want to detect?")
    at.type("tell attacks from normal records, only the forest")
    at.until("Where are the labelled captures")
    at.type("nowhere/at/all")
    at.until("Where are the labelled captures")
    (tmp_path / "empty").mkdir()
    at.type(str(tmp_path / "empty"))
    at.until("empty folder")
    at.until("Where are the labelled captures")
    at.type(str(table))
    at.until("Where does the class come from")
    at.type("kind")
    at.menu()
    at.type("q")
    assert at.end() == 3


def test_chat_needs_a_terminal(netloop: Netloop) -> None:
    ended = netloop("chat", "find scans")
    assert ended.returncode == 2
    assert "needs a terminal" in ended.stderr


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
    netloop: Netloop, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    rows = [f"{i},{'ab'[i % 2]}" for i in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["x,kind", *rows]))
    done = netloop("data", "audit", "t.csv", "--label", "kind", *words)
    assert done.returncode == 2 and said in done.stderr and done.stdout == ""


def test_a_second_source_is_tested_on_whole(netloop: Netloop, tmp_path: Path) -> None:
    for name, start in (("one.csv", 0), ("two.csv", 500)):
        rows = [f"{start + i * 7},{'ab'[i % 2]}" for i in range(60)]
        (tmp_path / name).write_text("\n".join(["x,kind", *rows]))
    words = ("one.csv", "--label", "kind", "--test-source", "two.csv", "--json")
    split = json.loads(netloop("data", "split", *words).stdout)
    assert (split["by"], split["sizes"]["test"]["rows"]) == ("fixed", 60)
    audit = json.loads(netloop("data", "audit", *words, "--stress", "majority").stdout)
    assert audit["verdict"] == "trustworthy"
    assert audit["stress"]["macro_f1"] == pytest.approx(1 / 3)
    assert audit["later"] is None and "Later traffic was not tried" in audit["advice"][-1]
