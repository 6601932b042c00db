"""The traffic language model in the life-cycle graph: whole runs with a tiny base."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from command_line import command_runner
from traffic_lm_bases import traffic_base

from agents.checkpoints import Decision, Plan
from agents.life_cycle import LifeCycle, create_run, opened
from agents.policy import approve_all
from agents.spec import Spec
from pipelines.errors import InputError
from pipelines.lab.lab import write_pcap
from pipelines.lab.traffic import day_of_traffic
from pipelines.store.events import read_events
from pipelines.store.run import RunFolder

MakeSpec = Callable[..., Spec]
TRY, TRAIN = "try_traffic_lm", "train_traffic_lm"
CLASSES = ("web", "c2_beacon", "scan")
DAYS = (date(2025, 3, 3), date(2025, 3, 4))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Two programs with threads on two cores wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return traffic_base(tmp_path_factory.mktemp("bases") / "tiny")


@pytest.fixture
def start(tmp_path: Path, spec: MakeSpec, base: Path) -> Callable[..., Any]:
    """Open a new run with the language model beside the forest."""

    @contextmanager
    def begin(
        others: tuple[str, ...] = ("random_forest",), budget: float | None = None, **settings: Any
    ) -> Iterator[LifeCycle]:
        design = {
            "candidates": [*others, "traffic_lm"],
            "traffic_lm": {"base": str(base), "epochs": 2, **settings},
        }
        run = create_run(tmp_path, spec(design=design, budget={"minutes": budget}), "ask")
        with opened(run, tmp_path) as life_cycle:
            yield life_cycle

    return begin


def decided(*answers: Callable[[Plan], Decision] | str) -> Callable[[Plan], Decision | None]:
    """Decide plans in turn: 'approve', or a function; then nobody."""
    waiting = list(answers)

    def decide(plan: Plan) -> Decision | None:
        if not waiting:
            return None
        answer = waiting.pop(0)
        if isinstance(answer, str):
            return Decision(action="approve", plan=plan.digest())
        return answer(plan)

    return decide


def edited(**edits: Any) -> Callable[[Plan], Decision]:
    """An edit; double underscores stand for the dot."""
    changes = {place.replace("__", "."): value for place, value in edits.items()}
    return lambda plan: Decision(action="edit", plan=plan.digest(), edits=changes)


def rejected(note: str) -> Callable[[Plan], Decision]:
    return lambda plan: Decision(action="reject", plan=plan.digest(), note=note)


def pending(life_cycle: LifeCycle) -> Plan:
    plan = life_cycle.pending()
    assert plan is not None
    return plan


def tools(plan: Plan) -> list[str]:
    return [step.tool for step in plan.steps]


def finished(run: RunFolder) -> list[str]:
    return [e.data["tool"] for e in read_events(run.events) if e.type == "step.finished"]


def captures(folder: Path) -> Path:
    """Two days of three classes, a folder each."""
    for name in CLASSES:
        for day in DAYS:
            write_pcap(folder / name / f"{day}.pcap", day_of_traffic(name, day, 8, seed=0))
    return folder


def test_from_captures_to_detections_by_the_command(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = captures(tmp_path / "captures")
    content = {
        "goal": "Tell what made the traffic",
        "data": {"source": str(source), "label": "folder"},
        "design": {
            "candidates": ["random_forest", "traffic_lm"],
            "traffic_lm": {"base": str(base), "epochs": 1},
        },
    }
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(content))
    netloop, place = command_runner(monkeypatch, capsys), ("--workspace", tmp_path)
    done = netloop("run", tmp_path / "spec.yaml", "--approve", "auto", "--json", *place)
    assert done.code == 0, done.err
    output = json.loads(done.out)
    assert {row["name"] for row in output["models"]} == {"random_forest", "traffic_lm"}
    assert any("traffic_lm was tried on" in line for line in output["findings"])
    found = netloop("detect", "last", source / CLASSES[0] / f"{DAYS[1]}.pcap", *place)
    assert found.code == 0, found.err
    labels = {json.loads(line)["ml"]["label"] for line in found.out.splitlines()}
    assert labels and labels <= {*CLASSES}


def test_a_language_model_is_packed_so_that_it_says_unknown(start: Callable[..., Any]) -> None:
    pack = edited(
        package_detector__model="traffic_lm",
        package_detector__unknown=True,
        stress_model__model="traffic_lm",
        stress_model__rows=20,
        stress_model__draws=2,
    )
    with start(controls=True, others=("majority",)) as life_cycle:
        life_cycle.advance(decided(*["approve"] * 4, pack, "approve"))
        state, run = life_cycle.state(), life_cycle.run
        assert run.read()["status"] == "done"
    assert set(state["numbers"][TRAIN]["validation"]) == {
        "traffic_lm",
        "traffic_lm_frozen",
        "traffic_lm_random",
    }
    assert state["numbers"]["stress_model"]["rows"] == 20
    assert len(state["numbers"]["evaluate_models"]["models"]) == 4
    below = state["numbers"]["package_detector"]["unknown_below"]
    manifest = json.loads(
        (run.store.path(state["artifacts"]["detector"]) / "detector.json").read_text()
    )
    assert set(manifest["thresholds"].values()) == {below}
    report = run.report.read_text()
    assert "Learning curves of traffic_lm" in report
    assert "calibrated on validation rows" in report
    assert "called unknown only where" in report
    assert not (run.path / "checkpoints").exists()
    assert (
        finished(run).index("train_baselines")
        < finished(run).index(TRY)
        < finished(run).index(TRAIN)
    )


# --- killed --------------------------------------------------------------------------------------

KILLED_AT = 3


def killed(run: RunFolder, workspace: Path) -> None:
    """Advance the run in a process that is killed after the third checkpoint was written."""
    script = f"""
        import os, signal
        from pathlib import Path
        import pipelines.models.traffic_lm.training as training
        from agents.life_cycle import opened
        from agents.policy import approve_all
        from pipelines.store.run import RunFolder
        real, written = training.save, []
        def dying(*arguments):
            real(*arguments)
            written.append(arguments)
            if len(written) == {KILLED_AT}:
                os.kill(os.getpid(), signal.SIGKILL)
        training.save = dying
        workspace = Path({str(workspace)!r})
        with opened(RunFolder.open(workspace, {run.id!r}), workspace) as it:
            it.advance(approve_all)
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def test_a_training_that_was_killed_goes_on(tmp_path: Path, spec: MakeSpec, base: Path) -> None:
    """Its second half ends in the very model that an undisturbed training gives."""
    settings = {"base": str(base), "epochs": 4}
    design = {"candidates": ["majority", "traffic_lm"], "traffic_lm": settings}
    run = create_run(tmp_path, spec(design=design), "auto")
    killed(run, tmp_path)
    assert TRY in finished(run) and TRAIN not in finished(run)
    assert len([*(run.path / "checkpoints").rglob("state.json")]) == 1
    told: list[float] = []

    def progress(what: str, done: float, total: float | None, unit: str) -> None:
        if what == "tuning traffic_lm":
            told.append(done / (total or 1))

    models = []
    with opened(run, tmp_path, progress=progress) as life_cycle:
        assert life_cycle.advance(decided()) == "paused"
        assert pending(life_cycle).stage == "operation"
        models.append(life_cycle.state()["artifacts"]["model/traffic_lm"])
        numbers = life_cycle.state()["numbers"][TRAIN]
    assert 0.75 < told[0] < 1, "three of four epochs were done"
    assert numbers["seconds"] == {}, "the clock of a part is none"
    assert finished(run).count("train_baselines") == 1
    assert not (run.path / "checkpoints").exists()
    undisturbed = tmp_path / "undisturbed"
    with opened(create_run(undisturbed, spec(design=design), "auto"), undisturbed) as life_cycle:
        life_cycle.advance(decided(*["approve"] * 4))
        models.append(life_cycle.state()["artifacts"]["model/traffic_lm"])
    assert models[0] == models[1]


# --- refused -------------------------------------------------------------------------------------


def test_a_training_beyond_the_budget_brings_its_plan_back(start: Callable[..., Any]) -> None:
    """Auto ends with the error; a person is given as many epochs as fit, or sets others."""
    with start(budget=2.0, epochs=1000, controls=True, others=("majority",)) as life_cycle:
        life_cycle.bench.rates.measured[TRAIN] = 1e-9  # so that the plan looks cheap
        for _ in range(2):
            with pytest.raises(InputError, match="1000 epochs of traffic_lm would take"):
                life_cycle.advance(approve_all)
            assert life_cycle.run.read()["status"] == "failed"
        plan = pending(life_cycle)
        assert plan.stage == "design"
        assert "may be spent" in plan.failure and "without traffic_lm" in plan.failure
        assert "train_baselines" in finished(life_cycle.run)

        assert life_cycle.advance(decided(rejected("fewer epochs"))) == "paused"
        plan = pending(life_cycle)
        tried, trained = (next(s for s in plan.steps if s.tool == tool) for tool in (TRY, TRAIN))
        assert 1 <= trained.params["epochs"] == tried.params["epochs"] < 1000
        assert trained.reasons["epochs"].startswith("fit into ")
        assert trained.estimate.measured and trained.estimate.minutes <= 0.6 * 2
        assert plan.failure == ""

        with pytest.raises(InputError, match=r"try_traffic_lm\.epochs is \d+, train") as caught:
            life_cycle.advance(decided(edited(train_traffic_lm__epochs=1)))
        assert "alike" in caught.value.mend
        life_cycle.advance(decided(edited(train_traffic_lm__epochs=1, try_traffic_lm__epochs=1)))
        life_cycle.advance(decided("approve"))
        assert life_cycle.state()["numbers"][TRAIN]["epochs"] == 1
        assert finished(life_cycle.run).count("train_baselines") == 1


def test_a_base_that_is_not_there_is_refused_before_anything_is_trained(
    start: Callable[..., Any],
) -> None:
    with (
        start(base="/nowhere/base") as life_cycle,
        pytest.raises(InputError, match="/nowhere/base has no safetensors weights"),
    ):
        life_cycle.advance(approve_all)
    assert "train_baselines" not in finished(life_cycle.run)


def test_the_control_that_only_a_person_asks_for(start: Callable[..., Any]) -> None:
    with start(others=("majority",)) as life_cycle:
        life_cycle.advance(decided(*["approve"] * 3, rejected("add the frozen base, 1 epoch")))
        plan = pending(life_cycle)
    assert plan.steps[-1].params["controls"] == ["traffic_lm_frozen"]
    assert plan.steps[-1].params["epochs"] == 1
    assert len(plan.changes) == 4
