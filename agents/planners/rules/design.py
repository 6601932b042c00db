"""Design by rules: the whole ladder, and a CNN that fits the budget."""

from typing import Any

from agents.checkpoints import Plan, Step
from agents.planners.base import Evidence
from agents.planners.rules.notes import Wishes, read_note
from agents.planners.rules.plans import RULES, param, step, summarised, with_params, without_tool
from agents.state import Feedback
from pipelines.models.registry import BASELINES

DEFAULT_EPOCHS = 30
FEWEST_EPOCHS = 3


def propose(evidence: Evidence) -> Plan:
    """Candidates and their budget."""
    spec = evidence.spec
    baselines, cnn = _candidates(spec.design.candidates)
    masks = evidence.numbers["audit_shortcuts"]["masks"]
    if spec.data.sample is not None:
        return _few_labels(evidence, baselines + cnn, masks)
    steps = []
    if baselines:
        steps.append(_ladder(baselines, masks))
    if cnn:
        steps.append(_cnn(evidence, masks))
    return Plan(
        stage="design",
        planner=RULES,
        summary=f"Train {', '.join(baselines + cnn)} on the same rows; choose by validation.",
        steps=steps,
    )


def revise(evidence: Evidence, plan: Plan, feedback: Feedback) -> Plan:
    """Other candidates or another effort, as a person or the review of the last trial asks."""
    why = f"asked for: {feedback.note.strip()}"
    if feedback.source == "review":
        return _bigger_cnn(evidence, plan, why)
    wishes = read_note(feedback.note)
    changed = _with_candidates(evidence, plan, wishes, why)
    changed = _with_effort(changed, wishes, why)
    return changed if changed != plan else _cheaper(plan, why)


def _candidates(names: list[str]) -> tuple[list[str], list[str]]:
    baselines = [n for n in BASELINES if n in names or "baselines" in names]
    return baselines, ["cnn"] if "cnn" in names else []


def _few_labels(evidence: Evidence, models: list[str], masks: list[str]) -> Plan:
    sample = evidence.spec.data.sample
    assert sample is not None
    study = step(
        "study_few_labels",
        models=(models, "all on the same draws and the same test rows"),
        per_class=(sample.per_class, "set in the spec"),
        draws=(sample.draws, "set in the spec: the spread over draws is the interval"),
        masks=(masks, "as audited"),
    )
    summary = (
        f"Draw {sample.per_class} rows of each class {sample.draws} times, "
        f"fit {len(models)} models on each draw."
    )
    return Plan(stage="design", planner=RULES, summary=summary, steps=[study])


def _ladder(models: list[str], masks: list[str]) -> Step:
    return step(
        "train_baselines",
        models=(models, "what a CNN must beat to be worth its price"),
        masks=(masks, "as audited"),
    )


def _cnn(evidence: Evidence, masks: list[str]) -> Step:
    return step("train_cnn", epochs=_epochs(evidence), masks=(masks, "as audited"))


def _epochs(evidence: Evidence) -> tuple[int, str]:
    given, left = evidence.spec.design.epochs, evidence.facts["minutes_left"]
    if given is not None:
        return given, "set in the spec"
    if left is not None and (each := evidence.facts["minutes_per_epoch"]):
        fitting = max(FEWEST_EPOCHS, int(left / 2 / each))  # the ladder and the test take time too
        if fitting < DEFAULT_EPOCHS:
            return fitting, f"fit into half of the {left:.1f} minutes that are left of the budget"
    return DEFAULT_EPOCHS, "an upper bound: early stopping ends it sooner"


def _bigger_cnn(evidence: Evidence, plan: Plan, why: str) -> Plan:
    channels = param(plan, "train_cnn", "channels")
    epochs = 2 * param(plan, "train_cnn", "epochs")
    if evidence.spec.design.epochs is not None:
        epochs = min(epochs, evidence.spec.design.epochs)
    changed = without_tool(plan, "train_baselines")
    changed = with_params(changed, "train_cnn", channels=(channels * 2, why), epochs=(epochs, why))
    return summarised(
        changed,
        f"The last trial missed the target on validation: twice the width, up to {epochs} epochs.",
    )


def _with_candidates(evidence: Evidence, plan: Plan, wishes: Wishes, why: str) -> Plan:
    now = [
        *(
            param(plan, "train_baselines", "models")
            or param(plan, "study_few_labels", "models")
            or []
        )
    ]
    if any(s.tool == "train_cnn" for s in plan.steps):
        now.append("cnn")
    wanted = _wanted(now, wishes)
    if set(wanted) == set(now) or not wanted:
        return plan
    if param(plan, "study_few_labels", "models"):
        return with_params(plan, "study_few_labels", models=(wanted, why))
    baselines, cnn = _candidates(wanted)
    masks = evidence.numbers["audit_shortcuts"]["masks"]
    old = {s.tool: s for s in plan.steps}
    steps = []
    if baselines:
        steps.append(_ladder(baselines, masks))
        steps[-1].reasons["models"] = why
    if cnn:
        steps.append(old.get("train_cnn") or _cnn(evidence, masks))
    return plan.model_copy(
        update={"steps": steps, "summary": f"Train {', '.join(wanted)}; choose by validation."}
    )


def _wanted(now: list[str], wishes: Wishes) -> list[str]:
    every = [*BASELINES, "cnn"]
    if wishes.only:
        return [
            n for n in every if n in wishes.only or ("baselines" in wishes.only and n in BASELINES)
        ]
    drop = wishes.drop | (set(BASELINES) if "baselines" in wishes.drop else set())
    add = wishes.add | (set(BASELINES) if "baselines" in wishes.add else set())
    return [n for n in every if (n in now or n in add) and n not in drop]


def _with_effort(plan: Plan, wishes: Wishes, why: str) -> Plan:
    epochs = param(plan, "train_cnn", "epochs")
    if epochs is None:
        return plan
    wanted = wishes.epochs or _paced(epochs, wishes.pace)
    return plan if wanted == epochs else with_params(plan, "train_cnn", epochs=(wanted, why))


def _paced(epochs: int, pace: int) -> int:
    return max(FEWEST_EPOCHS, epochs // 2) if pace < 0 else epochs * 2 if pace > 0 else epochs


def _cheaper(plan: Plan, why: str) -> Plan:
    """The next alternative when the words say nothing that the rules can read."""
    hint = "You can also edit single parameters."
    epochs = param(plan, "train_cnn", "epochs")
    if epochs is not None and epochs > FEWEST_EPOCHS:
        changed = with_params(plan, "train_cnn", epochs=(_paced(epochs, -1), why))
        return summarised(
            changed, f"I read no change in your words, so I propose half the epochs. {hint}"
        )
    for tool in ("train_baselines", "study_few_labels"):
        models: list[Any] = param(plan, tool, "models") or []
        if len(models) > 1:
            changed = with_params(plan, tool, models=(models[:-1], why))
            return summarised(
                changed,
                f"I read no change in your words, so I propose without {models[-1]}. {hint}",
            )
    return summarised(plan, f"I read no change in your words and know nothing cheaper. {hint}")
