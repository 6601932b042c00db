"""Design by rules: the whole ladder, and a CNN and a language model that fit the budget."""

from typing import Any

from agents.checkpoints import Plan, Step
from agents.planners.base import Evidence
from agents.planners.rules.notes import Wishes, read_note
from agents.planners.rules.plans import (
    RULES,
    absent_of,
    param,
    step,
    summarised,
    with_params,
    without_tool,
)
from agents.planners.rules.traffic_lm import (
    CONTROLS,
    TRAIN,
    has_model,
    language_model,
    tuned,
    with_both,
    with_fewer_epochs,
    without_model,
)
from agents.state import Feedback
from pipelines.models.cnn.architecture import Architecture
from pipelines.models.registry import BASELINES

DEFAULT_EPOCHS = 30
FEWEST_EPOCHS = 3
# What of the budget that is left a CNN may take, alone and beside a language model.
CNN_SHARE = {False: ("half", 1 / 2), True: ("a quarter", 1 / 4)}
# Rows from which on a language model has something to learn.
MANY_ROWS = 2000
KNOWN = (*BASELINES, "cnn", "traffic_lm")


def propose(evidence: Evidence) -> Plan:
    """Candidates and their budget."""
    spec = evidence.spec
    models = _candidates(spec.design.candidates)
    masks = evidence.numbers["audit_shortcuts"]["masks"]
    if spec.data.sample is not None:
        return _few_labels(evidence, models, masks)
    summary = f"Train {', '.join(models)} on the same rows; choose by validation."
    return Plan(
        stage="design",
        planner=RULES,
        summary=summary + _offer(evidence, models),
        steps=_steps(evidence, models, masks),
    )


def revise(evidence: Evidence, plan: Plan, feedback: Feedback) -> Plan:
    """Other candidates or another effort, as a person or the review of the last trial asks."""
    why = f"asked for: {feedback.note.strip()}"
    if feedback.source == "review":
        return _bigger_cnn(evidence, plan, why)
    wishes = read_note(feedback.note)
    changed = _with_candidates(evidence, plan, wishes, why)
    changed = tuned(changed, wishes, why)
    changed = _with_effort(evidence, changed, wishes, why)
    return changed if changed != plan else _cheaper(evidence, plan, why)


def _candidates(names: list[str]) -> list[str]:
    """The models that ``names`` stand for; a control has the model itself beside it."""
    wanted = {*names}
    if "baselines" in names:
        wanted |= {*BASELINES}
    if wanted & {*CONTROLS}:
        wanted.add("traffic_lm")
    return [name for name in (*KNOWN, *CONTROLS) if name in wanted]


def _offer(evidence: Evidence, models: list[str]) -> str:
    """What a person may not know of, where it has rows enough and no end to its time."""
    many = evidence.facts["rows"] >= MANY_ROWS and evidence.facts["minutes_left"] is None
    if not many or "traffic_lm" in models:
        return ""
    return ' To add the slow traffic language model, reject with "try the language model".'


def _steps(evidence: Evidence, models: list[str], masks: list[str]) -> list[Step]:
    steps = []
    if baselines := [name for name in models if name in BASELINES]:
        steps.append(_ladder(baselines, masks))
    if "cnn" in models:
        steps.append(_cnn(evidence, masks, beside="traffic_lm" in models))
    if "traffic_lm" in models:
        steps += language_model(evidence, masks, models)
    return steps


def _few_labels(evidence: Evidence, models: list[str], masks: list[str]) -> Plan:
    sample = evidence.spec.data.sample
    assert sample is not None
    absent, families = absent_of(evidence)
    quick = [name for name in models if not name.startswith("traffic_lm")]
    study = step(
        "study_few_labels",
        models=(quick, "all on the same draws and the same test rows"),
        per_class=(sample.per_class, "set in the spec"),
        draws=(sample.draws, "set in the spec: the spread over draws is the interval"),
        masks=(masks, "as audited"),
        **absent,
    )
    slow = "" if quick == models else " Without traffic_lm: so many fits of it would take hours."
    summary = (
        f"Draw {sample.per_class} rows of each class {sample.draws} times, "
        f"fit {len(quick)} models on each draw.{families}{slow}"
    )
    return Plan(stage="design", planner=RULES, summary=summary, steps=[study])


def _ladder(models: list[str], masks: list[str]) -> Step:
    return step(
        "train_baselines",
        models=(models, "what a CNN must beat to be worth its price"),
        masks=(masks, "as audited"),
    )


def _cnn(evidence: Evidence, masks: list[str], beside: bool) -> Step:
    return step("train_cnn", epochs=_epochs(evidence, beside), masks=(masks, "as audited"))


def _epochs(evidence: Evidence, beside: bool) -> tuple[int, str]:
    """The CNN's epochs, alone or beside a language model."""
    given, left = evidence.spec.design.epochs, evidence.facts["minutes_left"]
    if given is not None:
        return given, "set in the spec"
    if left is not None and (each := evidence.facts["minutes_per_epoch"]):
        part, share = CNN_SHARE[beside]  # the ladder and the test take time too
        fitting = max(FEWEST_EPOCHS, int(left * share / each))
        if fitting < DEFAULT_EPOCHS:
            return fitting, f"fit into {part} of the {left:.1f} minutes that are left of the budget"
    return DEFAULT_EPOCHS, "an upper bound: early stopping ends it sooner"


def _bigger_cnn(evidence: Evidence, plan: Plan, why: str) -> Plan:
    channels = param(plan, "train_cnn", "channels")
    epochs = 2 * param(plan, "train_cnn", "epochs")
    if evidence.spec.design.epochs is not None:
        epochs = min(epochs, evidence.spec.design.epochs)
    changed = without_model(without_tool(plan, "train_baselines"))
    changed = with_params(changed, "train_cnn", channels=(channels * 2, why), epochs=(epochs, why))
    if given := param(plan, "train_cnn", "architecture"):
        wide = Architecture.model_validate(given).widened().model_dump(mode="json")
        changed = with_params(changed, "train_cnn", architecture=(wide, why))
    return summarised(
        changed,
        f"The last trial missed the target on validation: twice the width, up to {epochs} epochs.",
    )


def _with_candidates(evidence: Evidence, plan: Plan, wishes: Wishes, why: str) -> Plan:
    now = models_of(plan)
    wanted = _wanted(now, wishes)
    if param(plan, "study_few_labels", "models"):
        wanted = [name for name in wanted if name != "traffic_lm"]
        if not wanted or set(wanted) == set(now):
            return plan
        return with_params(plan, "study_few_labels", models=(wanted, why))
    if not wanted or set(wanted) == set(now):
        return plan
    return with_candidates(evidence, plan, wanted, why)


def with_candidates(evidence: Evidence, plan: Plan, wanted: list[str], why: str) -> Plan:
    """The plan for these models; steps that it has already stay as they are."""
    old = {s.tool: s for s in plan.steps}
    steps = _steps(evidence, wanted, evidence.numbers["audit_shortcuts"]["masks"])
    return plan.model_copy(
        update={
            "steps": [_kept(old, step, why) for step in steps],
            "summary": f"Train {', '.join(wanted)}; choose by validation.",
        }
    )


def models_of(plan: Plan) -> list[str]:
    """The models that a plan trains, without controls."""
    studied: list[str] = param(plan, "study_few_labels", "models") or []
    ladder: list[str] = param(plan, "train_baselines", "models") or []
    cnn = ["cnn"] if any(s.tool == "train_cnn" for s in plan.steps) else []
    return [*studied, *ladder, *cnn, *(["traffic_lm"] if has_model(plan) else [])]


def _kept(old: dict[str, Step], new: Step, why: str) -> Step:
    """A step as the plan before had it; the ladder with the models that were asked for."""
    if new.tool == "train_baselines":
        new.reasons["models"] = why
        return new
    return old.get(new.tool, new)


def _wanted(now: list[str], wishes: Wishes) -> list[str]:
    if wishes.only:
        return [
            n for n in KNOWN if n in wishes.only or ("baselines" in wishes.only and n in BASELINES)
        ]
    drop = wishes.drop | (set(BASELINES) if "baselines" in wishes.drop else set())
    add = wishes.add | (set(BASELINES) if "baselines" in wishes.add else set())
    return [n for n in KNOWN if (n in now or n in add) and n not in drop]


def _with_effort(evidence: Evidence, plan: Plan, wishes: Wishes, why: str) -> Plan:
    """More or fewer epochs of what the words name; of the slowest model if they name none."""
    if not wishes.epochs and not wishes.pace:
        return plan
    if has_model(plan) and ("traffic_lm" in wishes.about or "cnn" not in wishes.about):
        return _with_language_effort(evidence, plan, wishes, why)
    epochs = param(plan, "train_cnn", "epochs")
    if epochs is None:
        return plan
    wanted = wishes.epochs or _paced(epochs, wishes.pace)
    return plan if wanted == epochs else with_params(plan, "train_cnn", epochs=(wanted, why))


def _with_language_effort(evidence: Evidence, plan: Plan, wishes: Wishes, why: str) -> Plan:
    if wishes.epochs:
        return with_both(plan, epochs=(wishes.epochs, why))
    if wishes.pace < 0:
        return with_fewer_epochs(evidence, plan, why)
    return with_both(plan, epochs=(2 * param(plan, TRAIN, "epochs"), why))


def _paced(epochs: int, pace: int) -> int:
    return max(FEWEST_EPOCHS, epochs // 2) if pace < 0 else epochs * 2 if pace > 0 else epochs


def _cheaper(evidence: Evidence, plan: Plan, why: str) -> Plan:
    """The next alternative when the words say nothing that the rules can read."""
    unread, hint = "I read no change in your words", "You can also edit single parameters."
    if (param(plan, TRAIN, "epochs") or 1) > 1:
        changed = with_fewer_epochs(evidence, plan, why)
        return summarised(changed, f"{unread}. {changed.summary} {hint}")
    epochs = param(plan, "train_cnn", "epochs")
    if epochs is not None and epochs > FEWEST_EPOCHS:
        changed = with_params(plan, "train_cnn", epochs=(_paced(epochs, -1), why))
        return summarised(changed, f"{unread}, so I propose half the epochs. {hint}")
    for tool in ("train_baselines", "study_few_labels"):
        models: list[Any] = param(plan, tool, "models") or []
        if len(models) > 1:
            changed = with_params(plan, tool, models=(models[:-1], why))
            return summarised(changed, f"{unread}, so I propose without {models[-1]}. {hint}")
    return summarised(plan, f"{unread} and know nothing cheaper. {hint}")
