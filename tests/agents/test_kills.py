"""kill -9 after the work of every node and before it is kept, before every approval and every step,
and between a model's answer and its record: nothing is lost, done or asked twice.

One process that has imported everything forks a child for each kill; a child walks the run until a
moment at which none has died yet, and dies there. A language model plans, behind a real server.
"""

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from openai_double import openai_double
from planner_double import PlannerDouble

from agents.life_cycle import create_run
from agents.spec import Spec
from pipelines.store.events import read_events
from pipelines.store.run import RunFolder
from tools.registry import find_tool

WALK = """
    import functools, os, signal, sys
    from pathlib import Path
    from agents import graph, life_cycle
    from agents.checkpoints import Decision
    from agents.llm.sending import Sending
    from agents.planners.choose import planner_of
    from pipelines.store.run import RunFolder
    # what children would import one by one
    import contextlib, importlib
    for name in (
        "agents.planners.llm", "agents.llm.client", "agents.llm.line", "agents.wall.view",
        "langchain_openai", "pandas", "pipelines.models.fitting", "pipelines.evaluate.evaluate",
        "pipelines.models.baselines.linear", "pipelines.report.page", "sklearn.linear_model",
    ):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)

    workspace, run = Path(sys.argv[1]), sys.argv[2]
    died, asked = workspace / "died", workspace / "asked"

    def die_once(moment):
        if moment not in died.read_text().splitlines():
            with died.open("a") as file:
                file.write(moment + "\\n")
            os.kill(os.getpid(), signal.SIGKILL)

    def mortal(node):
        @functools.wraps(node)
        def visit(self, state):
            plan, done = state.get("plan"), state.get("done")
            moment = f"{self.name} {node.__name__} {plan and plan.version} {done}"
            if node.__name__ in ("approve", "execute"):
                die_once(f"before {moment}")
            left = node(self, state)
            die_once(f"after {moment}")
            return left
        return visit

    for name in ("propose", "approve", "edit", "answer", "execute", "review", "close"):
        setattr(graph.StageMachine, name, mortal(getattr(graph.StageMachine, name)))

    close = Sending.close
    def close_mortally(self, *rest):
        die_once(f"unrecorded {self._place}")
        return close(self, *rest)
    Sending.close = close_mortally

    def decide(plan):
        def say(action, **parts):
            with asked.open("a") as file:
                file.write(f"{plan.stage} {plan.version} {action}\\n")
            return Decision(action=action, plan=plan.digest(), **parts)
        if plan.stage == "requirements" and "requirements 1 ask" not in asked.read_text():
            return say("ask", note="why macro_f1?")
        if (plan.stage, plan.version) == ("cleaning", 1):
            return say("edit", edits={"split_rows.test": 0.4})
        if (plan.stage, plan.version) == ("operation", 1):
            return say("reject", note="the cheapest")
        return say("approve")

    def child():
        folder = RunFolder.open(workspace, run)
        planner = planner_of(folder, workspace)
        with life_cycle.opened(folder, workspace, planner=planner) as held:
            status = held.advance(decide)
        os._exit(0 if status == "done" else 1)

    died.touch(); asked.touch()
    for kill in range(200):
        number = os.fork()
        if number == 0:
            child()
        _, status = os.waitpid(number, 0)
        if not os.WIFSIGNALED(status):
            sys.exit(os.WEXITSTATUS(status))
    sys.exit(9)
"""


@pytest.mark.slow
def test_a_run_that_is_killed_everywhere(
    tmp_path: Path, spec: Callable[..., Spec], monkeypatch: pytest.MonkeyPatch
) -> None:
    double = PlannerDouble()
    with openai_double(double) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("NETLOOP_MODEL", "tiny")
        run = create_run(tmp_path, spec(features=["ratio(bytes, duration)"]), "ask")
        words = [sys.executable, "-c", textwrap.dedent(WALK), str(tmp_path), run.id]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        ended = subprocess.run(words, capture_output=True, text=True, env=environment)
    assert ended.returncode == 0, ended.stderr
    kills = (tmp_path / "died").read_text().splitlines()
    nodes = {moment.split()[2] for moment in kills if not moment.startswith("unrecorded")}
    assert nodes == {"propose", "approve", "edit", "answer", "execute", "review", "close"}
    assert len(kills) > 40
    _nothing_was_done_twice(run)
    _nobody_was_asked_twice(run, tmp_path / "asked")
    _the_model_was_asked_again_only_for_answers_that_were_lost(
        double.asked, sum(moment.startswith("unrecorded") for moment in kills)
    )


def _nothing_was_done_twice(run: RunFolder) -> None:
    """A step may begin again, and be taken from the store; it is finished once."""
    finished = [e.data["tool"] for e in read_events(run.events) if e.type == "step.finished"]
    kept = [tool for tool in finished if find_tool(tool).repeatable]
    assert set(Counter(kept).values()) == {1}, "only a report is written again"
    once = {"import_rows", "derive_features", "train_baselines", "evaluate_models"}
    assert once | {"package_detector"} <= {*kept}


def _nobody_was_asked_twice(run: RunFolder, asked: Path) -> None:
    said = asked.read_text().splitlines()
    assert len(said) == len(set(said)), "a plan was shown again though it had been answered"
    decided = [
        f"{e.data['stage']} {e.data['version']} {e.data['action']}"
        for e in read_events(run.events)
        if e.type == "plan.decided"
    ]
    assert decided == said, "no decision is lost, and none is made twice"


def _the_model_was_asked_again_only_for_answers_that_were_lost(asked: list[str], lost: int) -> None:
    answers = 5 + 1 + 2 + 1  # five plans, a revised one, two readings, an answer to a question
    assert len(asked) == answers + lost
    assert lost == answers


def test_a_decision_that_was_written_down_is_not_asked_for_again(
    tmp_path: Path, spec: Callable[..., Spec]
) -> None:
    """The process dies between the log and the graph."""
    run = create_run(tmp_path, spec(), "ask")
    script = f"""
        import os, signal
        from pathlib import Path
        from agents import life_cycle
        from agents.policy import approve_all
        from pipelines.store.run import RunFolder
        workspace = Path({str(tmp_path)!r})
        with life_cycle.opened(RunFolder.open(workspace, {run.id!r}), workspace) as held:
            invoke = held.graph.invoke
            def dying(step, *rest, **more):
                if type(step).__name__ == "Command":
                    os.kill(os.getpid(), signal.SIGKILL)
                return invoke(step, *rest, **more)
            held.graph.invoke = dying
            held.advance(approve_all)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    from agents.life_cycle import opened

    shown: list[str] = []
    with opened(run, tmp_path) as life_cycle:
        assert life_cycle.pending() is not None
        life_cycle.advance(lambda plan: shown.append(plan.stage))
    assert shown == ["cleaning"], "the yes to requirements was kept"
    kinds = Counter(event.type for event in read_events(run.events))
    assert kinds["plan.decided"] == 1
    assert json.loads((run.path / "run.json").read_text())["status"] == "paused"


def test_a_yes_that_is_typed_again_signs_no_plan_that_nobody_has_seen(
    tmp_path: Path, spec: Callable[..., Spec]
) -> None:
    """The yes was written down, its process killed; whoever says it again means the same plan."""
    from agents.life_cycle import opened
    from agents.policy import approve_all
    from agents.terminal.session import walk

    run = create_run(tmp_path, spec(), "ask")
    with opened(run, tmp_path) as life_cycle:
        life_cycle.advance(lambda plan: None)
        plan = life_cycle.pending()
        assert plan is not None
        life_cycle._decided(plan, approve_all)  # as far as the log, and no further
    assert walk(run, tmp_path, "nobody", as_json=True, first=approve_all) == 3
    decided = [e.data["stage"] for e in read_events(run.events) if e.type == "plan.decided"]
    assert decided == ["requirements"]
    with opened(run, tmp_path) as life_cycle:
        waiting = life_cycle.pending()
        assert waiting is not None and waiting.stage == "cleaning"
