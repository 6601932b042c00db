"""Features that a language model names: over real HTTP, in safe names, tried in a real run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from openai_double import OpenAIDouble, openai_double
from planner_double import PlannerDouble, kind_of, told

from agents.checkpoints import Decision, Plan
from agents.life_cycle import LifeCycle, create_run, opened
from agents.planners.choose import planner_of
from agents.planners.rules.plans import param
from agents.policy import approve_all
from agents.spec import Spec

DERIVE = "derive_features"
Begin = Callable[..., Any]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Columns and cells whose names are nobody's business; the class is a ratio of two of them."""
    import numpy as np

    random = np.random.default_rng(0)
    lines = ["Zonk out,Zonk in,port,proto,kind"]
    for _ in range(500):
        received, more = 10 ** random.uniform(0, 6), random.random() < 0.5
        sent = received * (1.3 if more else 0.77) * random.uniform(0.9, 1.1)
        word = random.choice(["http", "Quux; obey"])
        lines.append(f"{sent},{received},{random.integers(9)},{word},{'up' if more else 'down'}")
    path = tmp_path_factory.mktemp("planted") / "records.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def begin(tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch) -> Begin:
    """A run over the table, planned by a double behind a real server."""

    @contextmanager
    def start(double: Any, **parts: Any) -> Iterator[tuple[OpenAIDouble, LifeCycle]]:
        content = {
            "goal": "Tell up from down",
            "data": {"source": str(table), "label": "kind", "split": {"test": 0.3}},
            "design": {"candidates": ["hist_gradient_boosting"]},
            **parts,
        }
        with openai_double(double) as server:
            monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
            monkeypatch.setenv("NETLOOP_MODEL", "tiny")
            run = create_run(tmp_path, Spec.model_validate(content), "ask")
            with opened(run, tmp_path, planner=planner_of(run, tmp_path)) as life_cycle:
                yield server, life_cycle

    return start


def until(stage: str, version: int = 1) -> Callable[[Plan], Decision | None]:
    def decide(plan: Plan) -> Decision | None:
        return None if (plan.stage, plan.version) == (stage, version) else approve_all(plan)

    return decide


def naming(*texts: str) -> dict[str, Any]:
    """An answer of the augmentation stage that names these features."""
    return {"features": [{"expression": text, "why": "It tells."} for text in texts]}


def planned(life_cycle: LifeCycle) -> Plan:
    plan = life_cycle.pending()
    assert plan is not None
    return plan


def asked(server: OpenAIDouble) -> list[Any]:
    return [found for found in server.requests if kind_of(found.json) == "augmentation"]


def test_a_model_names_features_and_a_person_approves_them(begin: Begin) -> None:
    """From the prompt to the detector: named under safe names, planned under real ones, kept."""
    said = naming("ratio(column_2, column_1)", 'eq(proto, "http")')
    with begin(PlannerDouble(augmentation=said)) as (server, life_cycle):
        life_cycle.advance(until("augmentation"))
        plan = planned(life_cycle)
        assert plan.notes == [] and plan.planner == "the language model tiny"
        assert [step.tool for step in plan.steps] == [DERIVE]
        assert param(plan, DERIVE, "expressions") == [
            "ratio(Zonk_out, Zonk_in)", 'eq(proto, "http")',
        ]  # fmt: skip
        assert "It tells." in plan.steps[0].reasons["expressions"]
        assert any(line.startswith("+ derive_features") for line in plan.against_default)
        [request] = asked(server)
        evidence = told(request.json, "Evidence: ")
        assert {column["name"] for column in evidence["columns"]} >= {"column_1", "column_2"}
        assert set(evidence["columns"][0]) == {"name", "kind"}
        assert "ratio(number, number)" in evidence["functions"]
        assert not any("window" in usage for usage in evidence["functions"])
        assert life_cycle.advance(approve_all) == "done"
        found = life_cycle.state()["numbers"][DERIVE]
        assert found["kept"] == ["ratio(Zonk_out, Zonk_in)"]
        words = [request.words for request in server.requests]
        assert not any("Zonk" in said or "Quux" in said for said in words), "all behind the wall"
        design = next(r for r in server.requests if kind_of(r.json) == "design")
        numbers = told(design.json, "Evidence: ")["numbers"][DERIVE]
        assert numbers["kept"] == ["ratio(column_2, column_1)"]
        assert [row["expression"] for row in numbers["outcomes"]] == [
            "ratio(column_2, column_1)", 'eq(proto, "http")',
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("ratio(column_2, column_9)", "There is no column 'column_9'"),
        ("ratio(column_2, proto)", "does not take"),
        ("ratoi(column_2, column_1)", "Did you mean ratio"),
        ("log(label)", "There is no column|bookkeeping"),
        ("__import__(column_1)", "There is no function"),
        ("log(column_1\x1b[2J)", "does not print"),
        ("window_count(column_1, by=proto, last=3)", "no time"),
        ("ratio(Zonk_out, column_1)", "There is no column"),
    ],
)
def test_what_is_no_feature_is_asked_again_in_the_models_own_names(
    begin: Begin, text: str, complaint: str
) -> None:
    with begin(PlannerDouble(augmentation=naming(text))) as (server, life_cycle):
        life_cycle.advance(until("augmentation"))
        plan = planned(life_cycle)
        tries = asked(server)
    assert plan.planner == "rules" and plan.steps == []
    assert len(tries) == 3
    assert any(part in tries[1].words for part in complaint.split("|"))
    if "Zonk" not in text:
        assert not any("Zonk" in request.words for request in tries)


def test_what_the_spec_names_stays_and_more_is_added(begin: Begin) -> None:
    spec = ["ratio(Zonk_out, Zonk_in)", 'eq(proto, "Quux; obey")']
    with begin(PlannerDouble(augmentation=naming("log(column_1)")), features=spec) as (
        server, life_cycle,
    ):  # fmt: skip
        life_cycle.advance(until("augmentation"))
        default = told(asked(server)[0].json, "The default: ")["features"]
        assert [row["expression"] for row in default] == [
            "ratio(column_2, column_1)", 'eq(proto, "value_1")',
        ]  # fmt: skip
        assert param(planned(life_cycle), DERIVE, "expressions") == [*spec, "log(Zonk_in)"]


def test_a_repeated_default_changes_nothing(begin: Begin) -> None:
    spec = ["ratio(Zonk_out, Zonk_in)", 'eq(proto, "Quux; obey")']
    with begin(PlannerDouble(), features=spec) as (_, life_cycle):
        life_cycle.advance(until("augmentation"))
        plan = planned(life_cycle)
        assert plan.against_default == [] and plan.notes == []
        assert param(plan, DERIVE, "expressions") == spec


def test_auto_is_told(begin: Begin) -> None:
    with begin(PlannerDouble(), features="auto") as (server, life_cycle):
        life_cycle.advance(until("augmentation"))
        assert told(asked(server)[0].json, "Evidence: ")["asked"]["features"] == "auto"


def test_a_study_of_few_labels_has_none(begin: Begin, table: Path) -> None:
    data = {"source": str(table), "label": "kind", "sample": {"per_class": 5, "draws": 2}}
    with begin(PlannerDouble(augmentation=naming("log(column_1)")), data=data) as (
        server, life_cycle,
    ):  # fmt: skip
        life_cycle.advance(until("augmentation"))
        assert planned(life_cycle).steps == []
        assert "functions" not in told(asked(server)[0].json, "Evidence: ")
        assert "none can be tried here" in asked(server)[1].words
