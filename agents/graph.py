"""The spine: one stage machine, propose -> approve -> execute -> review, five times in a row.

``approve`` holds one interrupt and nothing else, because code before an interrupt runs again on
resume. ``execute`` runs one step a visit, so that a kill costs one step and Ctrl-C stops at the
next. A test freezes the node names: renaming one would strand paused runs.
"""

from typing import Any, Literal

from agents import state as _state  # noqa: F401  (sets strict msgpack before langgraph is imported)

# isort: split
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, interrupt

from agents.checkpoints import STAGES, Decision, Plan, PlanRecord, Stage, plan_changes, step_names
from agents.edits import apply_decision
from agents.stages import StageRules, rules_of
from agents.state import FLOW_VERSION, Feedback, State, versions_of
from agents.workbench import Workbench
from pipelines.errors import InputError

MOST_REVISIONS = 3
Graph = CompiledStateGraph[Any, Any, Any, Any]


def build_stage(name: Stage, bench: Workbench) -> Graph:
    """The stage machine of one life-cycle stage."""
    rules: StageRules = rules_of(name)

    def propose(state: State) -> State:
        bench.check_stop()
        past = versions_of(state, name)
        before = past[-1].plan if past else None
        feedback = state.get("feedback")
        if feedback and feedback.source == "failure":
            # as it ran, with the answers that were given: nothing is asked twice
            plan = _plan(state).model_copy(update={"failure": feedback.note, "questions": []})
        else:
            plan = _planned(state, feedback, before)
        plan = bench.priced(plan.model_copy(update={"version": len(past) + 1}), state)
        if before is not None:
            plan = plan.model_copy(update={"changes": plan_changes(before, plan)})
        return _proposed(plan)

    def _planned(state: State, feedback: Feedback | None, before: Plan | None) -> Plan:
        """The planner's plan; if what was asked for cannot be, the one before and why."""
        evidence = bench.evidence(name, rules.facts(bench, state), state)
        plan = rules.checked(bench.planner.propose(evidence, feedback, before))
        plan = plan.model_copy(update={"failure": ""})
        try:
            return bench.priced(plan, state)
        except InputError as error:
            if before is None:
                raise
            return before.model_copy(update={"failure": str(error)})

    def approve(
        state: State,
    ) -> Command[Literal["approve", "edit", "answer", "propose", "execute", "close"]]:
        plan = state["plan"]
        answer = interrupt({"plan": plan.model_dump()}, response_schema=Decision)  # type: ignore[union-attr]
        return _route(state, Decision.model_validate(answer), rules)

    def edit(state: State) -> State:
        record = versions_of(state, name)[-1]
        assert record.decision is not None
        plan = apply_decision(record.plan, record.decision)
        plan = plan.model_copy(update={"version": record.plan.version + 1, "failure": ""})
        plan = bench.priced(plan, state)
        return _proposed(plan.model_copy(update={"changes": plan_changes(record.plan, plan)}))

    def answer(state: State) -> State:
        record = versions_of(state, name)[-1]
        evidence = bench.evidence(name, rules.facts(bench, state), state)
        reply = bench.planner.answer(evidence, record.plan, state["question"])
        bench.events.append("question.answered", question=state["question"], answer=reply)
        return {"history": {_key(record.plan): record.model_copy(update={"answer": reply})}}

    def execute(state: State) -> State:
        bench.check_stop()
        plan, done = _plan(state), state.get("done", 0)
        if bench.minutes_left(state) == 0:
            return {"outcome": "budget"}
        if done >= len(plan.steps):
            return {"done": done}
        step, called = plan.steps[done], step_names(plan.steps)[done]
        try:
            result = bench.call(called, step, state)
        except InputError as error:  # only a changed plan can mend it: ask again
            return {"feedback": Feedback(source="failure", note=str(error))}
        return {
            "done": done + 1,
            "artifacts": result.artifacts,
            "numbers": {called: result.numbers},
            "results": {f"{_key(plan)}/{done} {step.tool}": result},
        }

    def review(state: State) -> Command[Literal["propose", "close"]]:
        found = rules.review(bench, state)
        if len(versions_of(state, name)) > MOST_REVISIONS:
            found = found.model_copy(update={"back_to": None})
        bench.events.append("stage.reviewed", stage=name, **found.model_dump())
        update: State = {"reviews": {_key(_plan(state)): found}, "feedback": None}
        if found.back_to is None:
            return Command(goto="close", update=update)
        update["feedback"] = Feedback(source="review", note=" ".join(found.findings))
        if found.back_to == name:
            return Command(goto="propose", update=update)
        update["back_to"] = found.back_to
        return Command(goto="close", update=update)

    def close(state: State) -> State:
        return {"plan": None, "done": 0}

    def _proposed(plan: Plan) -> State:
        bench.events.append(
            "plan.proposed", plan=plan.model_dump(mode="json"), digest=plan.digest()
        )
        return {"plan": plan, "done": 0, "history": {_key(plan): PlanRecord(plan=plan)}}

    def after_execute(state: State) -> str:
        if state.get("outcome"):
            return "close"
        if state.get("feedback"):
            return "propose"
        return "execute" if state["done"] < len(_plan(state).steps) else "review"

    graph = StateGraph(State)
    for node in (propose, approve, edit, answer, execute, review, close):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "propose")
    graph.add_edge("propose", "approve")
    graph.add_edge("edit", "approve")
    graph.add_edge("answer", "approve")
    graph.add_conditional_edges("execute", after_execute, ["execute", "propose", "review", "close"])
    graph.add_edge("close", END)
    return graph.compile()


def build_life_cycle(bench: Workbench, checkpointer: BaseCheckpointSaver[Any]) -> Graph:
    """The five stages in a row; a review may send the run back to an earlier one."""
    graph = StateGraph(State)
    for name in STAGES:
        graph.add_node(name, build_stage(name, bench))
    graph.add_edge(START, STAGES[0])
    for name, following in zip(STAGES, (*STAGES[1:], END), strict=True):
        graph.add_conditional_edges(
            name, _next_stage(following), [*STAGES[: STAGES.index(name)], following, END]
        )
    return graph.compile(checkpointer=checkpointer)


def first_state() -> State:
    """The state that a new run starts from."""
    return {"flow_version": FLOW_VERSION, "artifacts": {}, "numbers": {}, "results": {}}


def _next_stage(following: str) -> Any:
    def choose(state: State) -> str:
        if state.get("outcome"):
            return END
        return state.get("back_to") or following

    return choose


def _route(state: State, decision: Decision, rules: StageRules) -> Command[Any]:
    plan = _plan(state)
    if decision.plan != plan.digest() or (decision.action == "skip" and rules.required):
        return Command(goto="approve")  # it answers another plan, or may not be: ask again
    record = PlanRecord(plan=plan, decision=decision)
    update: State = {"history": {_key(plan): record}, "feedback": None, "back_to": None}
    if decision.action == "ask":
        return Command(goto="answer", update={**update, "question": decision.note})
    if decision.action == "reject":
        update["feedback"] = Feedback(source="person", note=decision.note)
        return Command(goto="propose", update=update)
    if decision.action == "abort":
        return Command(goto="close", update={**update, "outcome": "refused"})
    if decision.action == "skip":
        return Command(goto="close", update=update)
    if decision.action == "edit":
        return Command(goto="edit", update=update)
    return Command(goto="execute", update={**update, "plan": apply_decision(plan, decision)})


def _plan(state: State) -> Plan:
    plan = state.get("plan")
    assert plan is not None, "a stage's nodes run only after its propose"
    return plan


def _key(plan: Plan) -> str:
    return f"{plan.stage}/{plan.version}"
