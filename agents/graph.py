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
from agents.planners.base import Evidence
from agents.routing import route
from agents.stages import StageRules, rules_of
from agents.state import (
    FLOW_VERSION,
    Feedback,
    Review,
    State,
    plan_in,
    standing_gate,
    versions_of,
)
from agents.workbench import Workbench
from pipelines.errors import InputError

# A stage that its own review has sent back this often goes on with what it found.
MOST_RETURNS = 3
Graph = CompiledStateGraph[Any, Any, Any, Any]


class StageMachine:
    """The nodes of one life-cycle stage: what each reads of the state and writes to it."""

    def __init__(self, name: Stage, bench: Workbench) -> None:
        self.name = name
        self.bench = bench
        self.rules: StageRules = rules_of(name)

    def build(self) -> Graph:
        """The stage as a graph of its own."""
        graph = StateGraph(State)
        for node in (
            self.propose,
            self.approve,
            self.edit,
            self.answer,
            self.execute,
            self.review,
            self.close,
        ):
            graph.add_node(node.__name__, node)
        graph.add_edge(START, "propose")
        graph.add_edge("propose", "approve")
        graph.add_edge("edit", "approve")
        graph.add_edge("answer", "approve")
        graph.add_conditional_edges(
            "execute", _after_execute, ["execute", "propose", "review", "close"]
        )
        graph.add_edge("close", END)
        return graph.compile()

    def propose(self, state: State) -> State:
        """A new version of the plan: the planner's, or after a failure the one that failed."""
        self.bench.check_stop()
        past, feedback = versions_of(state, self.name), state.get("feedback")
        before = past[-1].plan if past else None
        if feedback and feedback.source == "failure":
            # as it ran, with the answers that were given: nothing is asked twice
            plan = plan_in(state).model_copy(update={"failure": feedback.note, "questions": []})
        else:
            plan = self._gated(self._planned(state, feedback, before), state, before)
        plan = self.bench.priced(plan.model_copy(update={"version": len(past) + 1}), state)
        if before is not None:
            plan = plan.model_copy(update={"changes": plan_changes(before, plan)})
        return self._proposed(plan)

    def approve(
        self, state: State
    ) -> Command[Literal["approve", "edit", "answer", "propose", "execute", "close"]]:
        """Wait for a decision. Nothing else: code before an interrupt runs again on resume."""
        plan = plan_in(state)
        answer = interrupt({"plan": plan.model_dump()}, response_schema=Decision)
        return route(state, Decision.model_validate(answer), self.rules)

    def edit(self, state: State) -> State:
        """The plan with a person's changes, as a version that needs its own yes."""
        record = versions_of(state, self.name)[-1]
        assert record.decision is not None
        plan = apply_decision(record.plan, record.decision)
        plan = plan.model_copy(update={"version": record.plan.version + 1, "failure": ""})
        plan = self.bench.priced(plan, state)
        return self._proposed(plan.model_copy(update={"changes": plan_changes(record.plan, plan)}))

    def answer(self, state: State) -> State:
        """The planner's reply to a question; the same plan then waits again."""
        record, question = versions_of(state, self.name)[-1], state["question"]
        evidence = self._evidence(state, record.plan.version)
        reply = self.bench.planner.answer(evidence, record.plan, question)
        self.bench.events.append("question.answered", question=question, answer=reply)
        return {"history": {record.plan.place: record.model_copy(update={"answer": reply})}}

    def execute(self, state: State) -> State:
        """Run the next step of the approved plan, one a visit."""
        self.bench.check_stop()
        plan, done = plan_in(state), state.get("done", 0)
        if done >= len(plan.steps):
            return {"done": done}
        self.bench.check_minutes(state)
        step, called = plan.steps[done], step_names(plan.steps)[done]
        try:
            self.rules.check(plan, state)
            result = self.bench.call(called, step, state)
        except InputError as error:  # only a changed plan can mend it: ask again
            return {"feedback": Feedback(source="failure", note=str(error))}
        return {
            "done": done + 1,
            "artifacts": result.artifacts,
            "numbers": {called: result.numbers},
            "results": {f"{plan.place}/{done} {step.tool}": result},
        }

    def review(self, state: State) -> Command[Literal["propose", "close"]]:
        """Check the stage's success criteria; a failed one may send the run back."""
        found = self.rules.review(self.bench, state)
        reviewed = [key for key in state.get("reviews", {}) if key.startswith(f"{self.name}/")]
        found = self._read(found, state)
        if len(reviewed) >= MOST_RETURNS and not found.gate:
            found = found.model_copy(update={"back_to": None})
        self.bench.events.append("stage.reviewed", stage=self.name, **found.model_dump())
        if found.override:
            self.bench.events.append(
                "gate.overridden",
                stage=self.name,
                found=found.gate,
                reason=found.override,
                by=found.by,
            )
        update: State = {"reviews": {plan_in(state).place: found}, "feedback": None}
        if found.back_to is None:
            return Command(goto="close", update=update)
        note = " ".join([*found.findings, *found.reading])
        update["feedback"] = Feedback(source="review", note=note)
        if found.back_to == self.name:
            return Command(goto="propose", update=update)
        update["back_to"] = found.back_to
        return Command(goto="close", update=update)

    def close(self, state: State) -> State:
        """Leave nothing of this stage's plan to the next stage."""
        return {"plan": None, "done": 0}

    def _planned(self, state: State, feedback: Feedback | None, before: Plan | None) -> Plan:
        """The planner's plan; if what was asked for cannot be, the one before and why."""
        version = 1 if before is None else before.version + 1
        plan = self.bench.planner.propose(self._evidence(state, version), feedback, before)
        plan = self.rules.checked(plan).model_copy(update={"failure": ""})
        try:
            return self.bench.priced(plan, state)
        except InputError as error:
            if before is None:
                raise
            return before.model_copy(update={"failure": " ".join(str(error).split())})

    def _gated(self, plan: Plan, state: State, before: Plan | None) -> Plan:
        """The plan that says which leak stopped the one before it.

        The planner's mend may be approved by anyone once. If it failed, if there is none, or if it
        goes against a person's words, only a person goes on.
        """
        found = standing_gate(state, self.name)
        if found is None:
            return plan.model_copy(update={"gate": ""})
        past = [r for n, r in state.get("reviews", {}).items() if n.startswith(f"{self.name}/")]
        tried = sum(bool(review.gate) for review in past) > 1
        same = before is not None and not plan_changes(before, plan)
        stopped = tried or same or found.person_only
        return plan.model_copy(
            update={"gate": found.gate, "failure": found.gate if stopped else plan.failure}
        )

    def _read(self, found: Review, state: State) -> Review:
        """What code found, with the planner's reading of it, which may ask for another trial."""
        plan = plan_in(state)
        if found.gate:
            return found
        said = self.bench.planner.read(self._evidence(state, plan.version), plan, found)
        again = said.again and found.back_to is None and self.rules.another(self.bench, state)
        back_to = self.name if again else found.back_to
        return found.model_copy(update={"reading": said.words, "back_to": back_to})

    def _evidence(self, state: State, version: int) -> Evidence:
        facts = self.rules.facts(self.bench, state)
        return self.bench.evidence(self.name, version, facts, state)

    def _proposed(self, plan: Plan) -> State:
        self.bench.events.append(
            "plan.proposed", plan=plan.model_dump(mode="json"), digest=plan.digest()
        )
        return {"plan": plan, "done": 0, "history": {plan.place: PlanRecord(plan=plan)}}


def build_life_cycle(bench: Workbench, checkpointer: BaseCheckpointSaver[Any]) -> Graph:
    """The five stages in a row; a review may send the run back to an earlier one."""
    graph = StateGraph(State)
    for name in STAGES:
        graph.add_node(name, StageMachine(name, bench).build())
    graph.add_edge(START, STAGES[0])
    for name, following in zip(STAGES, (*STAGES[1:], END), strict=True):
        graph.add_conditional_edges(
            name, _next_stage(following), [*STAGES[: STAGES.index(name)], following, END]
        )
    return graph.compile(checkpointer=checkpointer)


def first_state() -> State:
    """The state that a new run starts from."""
    return {"flow_version": FLOW_VERSION, "artifacts": {}, "numbers": {}, "results": {}}


def _after_execute(state: State) -> str:
    if state.get("outcome"):
        return "close"
    if state.get("feedback"):
        return "propose"
    return "execute" if state["done"] < len(plan_in(state).steps) else "review"


def _next_stage(following: str) -> Any:
    def choose(state: State) -> str:
        if state.get("outcome"):
            return END
        return state.get("back_to") or following

    return choose
