"""Design: which models are trained. They are chosen by validation; the test side stays unread."""

from typing import Any

from agents.checkpoints import Plan
from agents.stages.base import StageRules
from agents.stages.worth import worth
from agents.state import Review, State, versions_of
from agents.workbench import Workbench
from pipelines.errors import InputError
from tools.traffic_lm import TrafficLmParams, in_words, training_minutes

MOST_TRIALS = 2
# Twice the width is four times the work of a convolution, and there are twice the epochs.
TRIAL_GROWTH = 8
TRAININGS = ("train_baselines", "train_cnn", "train_traffic_lm")


def _facts(bench: Workbench, state: State) -> dict[str, Any]:
    sizes = state["numbers"]["split_rows"]["sizes"]
    rows = sizes["train"]["rows"] + sizes["validation"]["rows"]
    return {
        "rows": rows,
        "minutes_left": bench.minutes_left(state),
        "minutes_per_epoch": bench.rates.minutes("train_cnn", rows),
        "traffic_lm": _price(bench, state),
    }


def _price(bench: Workbench, state: State) -> dict[str, Any] | None:
    """Minutes of a training of the language model as it was planned last, or as the spec says.

    None for a base that is not there: the price of the plan's own step says what is wrong with it.
    """
    past = versions_of(state, "design")
    planned = (
        [s.params for s in past[-1].plan.steps if s.tool == "train_traffic_lm"] if past else []
    )
    given = bench.spec.design.traffic_lm
    params = planned or [given.model_dump(exclude_none=True) if given else {}]
    sizes = state["numbers"]["split_rows"]["sizes"]
    sides = sizes["train"]["rows"], sizes["validation"]["rows"]
    try:
        chosen = TrafficLmParams.model_validate(params[0])
        besides, each = training_minutes(chosen, *sides, bench.rates)
    except InputError:
        return None
    measured = "train_traffic_lm" in bench.rates.measured
    return {"besides": besides, "each_epoch": each, "measured": measured}


def validation_scores(state: State) -> dict[str, float]:
    """Model -> its validation macro-F1 (out-of-fold in a few-label study), best first."""
    scores: dict[str, float] = {}
    for name, result in state["results"].items():  # oldest first, as the artefacts were made
        if name.startswith("design/"):
            scores |= result.numbers.get("validation", {})
    return dict(sorted(scores.items(), key=lambda item: -item[1]))


def _review(bench: Workbench, state: State) -> Review:
    scores = validation_scores(state)
    best, score = next(iter(scores.items()))
    trained = [found for name, found in state["numbers"].items() if _is_training(name)]
    warnings = dict.fromkeys(line for found in trained for line in found.get("warnings", []))
    findings = [*warnings, f"{best} is best on validation: macro-F1 {score:.3f}."]
    findings += [*worth(scores, trained), *_foretold(state), *_unaudited(state)]
    wanted = state["numbers"]["record_requirements"]
    target, judged = wanted["target"], wanted["metric"] == "macro_f1"
    if target is None or score >= target or not judged or bench.spec.data.sample is not None:
        return Review(passed=True, findings=findings)
    findings.append(f"That is below the target of {target:g}.")
    again = _another_trial_fits(bench, state)
    return Review(passed=False, findings=findings, back_to="design" if again else None)


def _is_training(name: str) -> bool:
    """Whether a step, maybe the second of its tool, trained models."""
    return name.split("#")[0] in TRAININGS


def _foretold(state: State) -> list[str]:
    """What the try of the language model said."""
    found = state["numbers"].get("try_traffic_lm")
    if found is None:
        return []
    tried, whole = found["try"], found["whole"]
    return [
        f"traffic_lm was tried on {tried['rows']} rows: {tried['train_tokens_per_second']:,.0f} "
        f"tokens a second; all was to take {in_words(whole['minutes'])} "
        f"and {whole['memory_mb']:,} MB."
    ]


def _check(plan: Plan, state: State) -> None:
    """Models see no leak that the audit found under a mask: the gate was not asked about it.

    And the try of the language model speaks of its training.
    """
    from pipelines.audit.audit import Audit, leaks_under

    _check_try(plan)
    found = Audit.model_validate(state["numbers"]["audit_shortcuts"])
    for step in plan.steps:
        if leaks := leaks_under(found, step.params["masks"]):
            raise InputError(
                f"{step.tool}.masks would show models what the audit took for hidden. {leaks[0]}",
                "Leave it masked; or begin a run whose spec names data.masks, and says why in "
                "data.accept_shortcuts.",
            )


def _check_try(plan: Plan) -> None:
    """What was tried on a few rows is what is trained: else its price would be another's."""
    steps = {step.tool: step.params for step in plan.steps}
    tried, trained = steps.get("try_traffic_lm", {}), steps.get("train_traffic_lm", {})
    other = [name for name in tried if name in trained and tried[name] != trained[name]]
    if other:
        name = other[0]
        raise InputError(
            f"try_traffic_lm.{name} is {tried[name]}, train_traffic_lm.{name} is {trained[name]}: "
            "another training would be tried than is run.",
            "Set both alike.",
        )


def _unaudited(state: State) -> list[str]:
    """The audit calls a field masked by the masks of cleaning: it does not speak of others."""
    audited = set(state["numbers"]["audit_shortcuts"]["masks"])
    plan = state["plan"]
    assert plan is not None
    seen = sorted({name for step in plan.steps for name in audited - set(step.params["masks"])})
    return [f"Models saw {', '.join(seen)}, which the audit counts as masked."] if seen else []


def _another_trial_fits(bench: Workbench, state: State) -> bool:
    trials = {name: r for name, r in state["results"].items() if name.endswith(" train_cnn")}
    plans = {name.rsplit("/", 1)[0] for name in trials}  # one plan may compare two networks
    if not 0 < len(plans) < MOST_TRIALS:
        return False
    left, last = bench.minutes_left(state), [*trials.values()][-1]
    return left is None or left > TRIAL_GROWTH * last.seconds / 60


DESIGN = StageRules(
    name="design",
    tools=(*TRAININGS, "try_traffic_lm", "study_few_labels"),
    required=True,
    facts=_facts,
    review=_review,
    check=_check,
    another=_another_trial_fits,
)
