"""``netloop augment`` as it is typed, and the stage behind it walked to its end."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openai_double import openai_double
from planner_double import PlannerDouble
from rich.console import Console
from rows_double import RowsDouble

from agents.checkpoints import Plan
from agents.life_cycle import create_run, opened
from agents.policy import approve_all
from agents.spec import Spec
from agents.terminal.render_augment import render_exploration
from pipelines.augment.findings import Exploration
from pipelines.augment.names import REAL
from pipelines.store.events import read_events
from pipelines.store.run import RunFolder
from tests.shared.command_line import Command, command_runner

SMALL = {"arms": ["duplicates"], "amounts": [1], "models": ["knn"], "per_class": 4, "draws": 6}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return command_runner(monkeypatch, capsys)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two classes that overlap."""
    random, path = np.random.default_rng(0), tmp_path / "records.csv"
    lines = [
        f"{number % 2 + random.normal(0, 0.6)},{random.normal()},{'bg'[number % 2]}"
        for number in range(240)
    ]
    path.write_text("\n".join(["size,rate,kind", *lines]) + "\n")
    return path


@pytest.fixture
def content(table: Path) -> dict[str, Any]:
    return {
        "goal": "Tell bad records from good ones",
        "data": {"source": str(table), "label": "kind"},
        "requirements": {"target": 0.1, "max_false_positive_rate": 1.0, "benign": ["g"]},
        "augmentation": SMALL,
        "design": {"candidates": ["knn"]},
    }


@pytest.fixture
def spec_file(tmp_path: Path, content: dict[str, Any]) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_text(json.dumps(content))  # JSON is YAML
    return path


def test_a_table_a_verdict_and_a_picture(run: Command, spec_file: Path, tmp_path: Path) -> None:
    ended = run("augment", spec_file, "--workspace", tmp_path / "w")
    assert ended.code == 0, ended.err
    words = " ".join(ended.out.split())
    assert "knn: macro-F1 with 8 real rows 0." in words
    assert "rows from 1:1 a row is worth" in words
    assert "more real rows" in words
    assert any(kind in words for kind in ("Use duplicates", "No benefit", "Undecided"))
    assert "the mean of 6 draws" in words
    picture = next(line for line in ended.out.splitlines() if line.startswith("Picture: "))
    assert Path(picture.removeprefix("Picture: ")).read_bytes().startswith(b"\x89PNG")
    assert max(map(len, ended.out.split("Picture")[0].splitlines())) <= 80


def test_a_choice_within_the_labelled_rows(run: Command, spec_file: Path, tmp_path: Path) -> None:
    within = ("--set", "augmentation.within=true")
    ended = run("augment", spec_file, *within, "--workspace", tmp_path / "w")
    assert ended.code == 0, ended.err
    words = " ".join(ended.out.split())
    assert "rows from 1:1 duplicates" in words, "without rates, and without more real rows"
    assert any(said in words for said in ("Use duplicates", "Declined: "))
    assert "the mean of 10 folds" in words
    assert "labelled rows that judged in turn" in words
    assert "validation rows" not in words
    assert "Picture: " in words


@pytest.mark.parametrize("kind", ["perfect", "copies"])
def test_a_model_whose_truth_is_known(
    kind: str,
    run: Command,
    content: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Over HTTP: held-back rows are used as they come, copies of examples are refused."""
    held_back: dict[str, list[dict[str, float]]] = {"attack": [], "normal": []}
    random, classes = np.random.default_rng(1), [*held_back]
    for number in range(400):
        amounts = {"bytes": number % 2 + random.normal(0, 0.6), "rate": random.normal()}
        held_back[classes[number % 2]].append(amounts)
    words = Path(content["data"]["source"]).read_text().replace("size", "bytes")
    for short, name in zip("bg", classes, strict=True):
        words = words.replace(f",{short}\n", f",{name}\n")
    Path(content["data"]["source"]).write_text(words)
    content["requirements"]["benign"] = ["normal"]
    study = {**SMALL, "arms": ["llm"], "amounts": [2]}
    spec = {**content, "augmentation": study, "llm_sees": "raw", "budget": {"llm_calls": 200}}
    path = tmp_path / "spec.yaml"
    path.write_text(json.dumps(spec))
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("NETLOOP_MODEL", "double")
    double, planner = RowsDouble(kind, held_back), PlannerDouble()

    def reply(request: Any) -> str:
        return double(request) if "The class: " in str(request) else planner(request)

    with openai_double(reply) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        ended = run("augment", path, "--json", "--workspace", tmp_path / "w")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    arm = found["arms"]["llm"]
    assert found["asked"] >= double.asked > 0 and found["tokens"] > 0
    if kind == "perfect":
        assert arm["rows"] == 16 and "copies" not in arm["gate"]
    else:
        assert arm == {"rows": 0, "refused": {"a copy": double.answered}, "gate": "no rows"}
        assert found["models"]["knn"]["verdict"]["kind"] == "none"


def test_ctrl_c_says_how_to_go_on(
    run: Command, spec_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.augment.explore.scores_of_all", interrupted)
        ended = run("augment", spec_file, "--workspace", tmp_path / "w")
    assert ended.code == 130
    [stopped] = RunFolder.all(tmp_path / "w")
    words = " ".join(ended.err.split())
    assert f"The study of run {stopped.id} was interrupted." in words
    assert f"Go on: netloop runs resume {stopped.id}" in words
    again = run("runs", "resume", stopped.id, "--workspace", tmp_path / "w")
    assert again.code == 3, again.err
    events = [event.type for event in read_events(stopped.events)]
    assert "run.resumed" in events


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_arms_have_their_names_at_every_width(width: int) -> None:
    """Intervals give way, names do not."""
    found = {
        "metric": "accuracy", "draws": 6, "real_rows": 20, "test_rows": 100,
        "arms": {}, "models": {"cnn": findings(["duplicates", "llm_evolved", REAL], [1, 2, 4, 8])},
    }  # fmt: skip
    out = StringIO()
    console = Console(file=out, width=width, markup=False, highlight=False)
    render_exploration(Exploration.model_validate(found), console)
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    for name in ("duplicates", "llm evolved", "more real rows"):
        [line] = [line for line in lines if line.startswith(name)]
        assert line.split()[-1] in ("1", "-")
        assert line.count("+3.0") == 4
        assert ("[" in line) is (width >= 124)
        assert line.count("*") == (0 if width >= 124 else 4)
    assert "…" not in out.getvalue()


def findings(arms: list[str], amounts: list[float]) -> dict[str, Any]:
    """A model that gains three points by everything."""
    spread = {"mean": 0.9, "std": 0.0, "min": 0.9, "max": 0.9, "ci": (0.9, 0.9)}
    outcomes = [
        {
            "arm": arm, "amount": amount, "screened": False, "rows": amount, "score": spread,
            "gain": 0.03, "ci": (0.01, 0.05), "rate": None,
        }
        for arm in arms
        for amount in amounts
    ]  # fmt: skip
    verdict = {"kind": "undecided", "gain": 0.03, "ci": (0.01, 0.05), "words": "Undecided."}
    return {"alone": spread, "outcomes": outcomes, "verdict": verdict}


def test_as_json(run: Command, spec_file: Path, tmp_path: Path) -> None:
    ended = run("augment", spec_file, "--json", "--workspace", tmp_path / "w")
    found = json.loads(ended.out)
    assert found["draws"] == 6
    assert [o["arm"] for o in found["models"]["knn"]["outcomes"]] == [
        "duplicates", "more_real_rows",
    ]  # fmt: skip
    assert found["models"]["knn"]["verdict"]["kind"] in ("use", "none", "undecided")


def test_several_studies_on_one_page(run: Command, content: dict[str, Any], tmp_path: Path) -> None:
    arms = {"arms": ["duplicates", "llm"], "amounts": [1, 2]}
    parts = [
        {**content, "goal": goal, "augmentation": {**SMALL, **arms}}
        for goal in ("Tell bad from good", "<b>Again</b>")
    ]
    path = tmp_path / "both.yaml"
    path.write_text("---\n".join(json.dumps(part) + "\n" for part in parts))
    ended = run("augment", path, "--workspace", tmp_path / "w")
    assert ended.code == 0, ended.err
    first, second = RunFolder.all(tmp_path / "w")
    assert "Tell bad from good" in ended.out and "<b>Again</b>" in ended.out
    assert ended.out.splitlines()[-1] == f"Page: {second.path / 'augmentation.html'}"
    page = (second.path / "augmentation.html").read_text()
    assert "2 studies of synthetic rows" in page
    assert f"run {first.id}" in page and f"run {second.id}" in page
    assert page.count("<svg") == 0 and page.count("data:image/svg+xml") == 4, "light and dark"
    assert "<script" not in page and "<b>Again" not in page
    assert "are copies of real rows" in page and "the worst draw" in page
    [warned] = {
        line
        for event in read_events(second.events)
        for line in event.data.get("numbers", {}).get("warnings", [])
        if "language model" in str(line)
    }
    assert warned == "No language model is configured: llm left out."


def test_the_run_goes_on_where_the_command_left_it(
    run: Command, spec_file: Path, tmp_path: Path
) -> None:
    found = json.loads(run("augment", spec_file, "--json", "--workspace", tmp_path / "w").out)
    ended = run("runs", "resume", found["run"], "--approve", "auto", "--workspace", tmp_path / "w")
    assert ended.code == 0, ended.err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("augmentation.arms=[gan]", "'gan' is no generator, did you mean"),
        ("augmentation.draws=2", "6"),
        ("augmentation.arms=[llm]", "none is configured"),
        ("augmentation.per_class=1", "2"),
        ("data.source=/nowhere", "/nowhere"),
    ],
)
def test_what_cannot_work(
    run: Command, spec_file: Path, tmp_path: Path, change: str, said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delenv("NETLOOP_MODEL", raising=False)
    ended = run("augment", spec_file, "--set", change, "--workspace", tmp_path / "w")
    assert ended.code in (1, 2)
    assert said in ended.told


# --- the stage -----------------------------------------------------------------------------------


def walked(
    tmp_path: Path, content: dict[str, Any], verdict: dict[str, Any], monkeypatch: Any
) -> Any:
    """A run to its end, its study answered by ``verdict``: its plans, and what was found."""
    monkeypatch.setattr("tools.augment._row", lambda name, found: {"name": name, **verdict})
    run = create_run(tmp_path / "w", Spec.model_validate(content), "auto")
    plans: list[Plan] = []

    def decide(plan: Plan) -> Any:
        plans.append(plan)
        return approve_all(plan)

    with opened(run, tmp_path / "w") as life_cycle:
        life_cycle.advance(decide)
        numbers = life_cycle.state()["numbers"]
        reviews = life_cycle.state()["reviews"]
    return [p for p in plans if p.stage == "augmentation"], numbers, reviews, run


USE = {
    "kind": "use", "arm": "duplicates", "amount": 2.0, "screened": False, "gain": 0.02,
    "ci": [0.01, 0.03], "words": "Use duplicates.", "alone": 0.7, "draws_needed": None,
}  # fmt: skip
NONE = {**USE, "kind": "none", "arm": None, "amount": None, "words": "No benefit."}


def test_what_helps_is_proposed_made_and_learned_from(
    tmp_path: Path, content: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    plans, numbers, reviews, run = walked(tmp_path, content, USE, monkeypatch)
    assert [[step.tool for step in plan.steps] for plan in plans] == [
        ["explore_arms"], ["augment_rows"],
    ]  # fmt: skip
    train = numbers["augment_rows"]["train_rows"]
    assert numbers["augment_rows"]["rows"] == 2 * train
    assert reviews["augmentation/1"].findings == ["knn: Use duplicates."]
    assert (
        reviews["augmentation/2"].findings[0].startswith(f"{2 * train:,} rows made by duplicates")
    )
    assert reviews["augmentation/2"].findings[1] == numbers["augment_rows"]["gate"]
    assert "are copies" in numbers["augment_rows"]["gate"]
    assert numbers["train_baselines"]["validation_rows"] > 0
    assert RunFolder(run.path).read()["status"] == "done"


def test_no_benefit_goes_on_without(
    tmp_path: Path, content: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    plans, numbers, reviews, _ = walked(tmp_path, content, NONE, monkeypatch)
    assert len(plans) == 1
    assert "augment_rows" not in numbers
    assert reviews["augmentation/1"].findings == ["knn: No benefit."]


def test_few_labels_are_studied_and_not_added_to(
    tmp_path: Path, content: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    content["data"]["sample"] = {"per_class": 4, "draws": 2}
    plans, numbers, _, _ = walked(tmp_path, content, USE, monkeypatch)
    assert len(plans) == 1, "each draw is a train side of its own"
    assert "augment_rows" not in numbers
