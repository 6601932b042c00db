"""The report tool: everything that a run's events and artefacts say, as one HTML file."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pipelines.errors import NetloopError
from pipelines.store.events import read_events
from pipelines.store.run import RunFolder
from tools.report_proofs import audit_section, data_card, split_proof
from tools.report_results import (
    confusion,
    curves,
    difference,
    explored,
    features,
    few_labels,
    made,
    model_score,
    per_class,
)
from tools.requirements import no_cost
from tools.spec import Params, ToolContext, ToolResult, ToolSpec
from tools.story import Story

if TYPE_CHECKING:
    from pipelines.report import data

RESUMABLE = ("paused", "interrupted", "failed")
CALIBRATED = ("traffic_lm", "traffic_lm_random")


class ReportParams(Params):
    pass


def _write(params: ReportParams, context: ToolContext) -> ToolResult:
    from pipelines.report.page import write_report

    if context.run is None:
        raise NetloopError("write_report needs a run to report on.")
    write_report(context.run.report, build_report(context.run))
    return ToolResult(numbers={"report": context.run.report.name})


def build_report(run: RunFolder) -> "data.ReportData":
    """What the report of a run shows, as far as the run has come."""
    from pipelines.report import data

    record, story = run.read(), Story(read_events(run.events))
    wanted = story.numbers.get("record_requirements", {})
    best = story.tested().get("best")
    return data.ReportData(
        run=run.id,
        goal=record["spec"]["goal"],
        outcome=_outcome(record["status"]),
        error=record.get("error") or "",
        override=story.override(),
        spec=yaml.safe_dump(record["spec"], sort_keys=False, allow_unicode=True),
        metric=wanted.get("metric", "macro_f1"),
        target=wanted.get("target"),
        max_false_positive_rate=wanted.get("max_false_positive_rate"),
        models=[model_score(row) for row in story.tested().get("models", [])],
        chosen=best,
        difference=difference(story.tested(), best),
        findings=[line for lines in story.reviews.values() for line in lines],
        data=data_card(record["spec"], story, run.store),
        split=split_proof(story, run.store),
        audit=audit_section(story),
        per_class=per_class(story.tested(), best),
        confusion=confusion(story, run.store, best),
        curves=curves(story, run.store, best),
        few_labels=few_labels(story),
        explored=explored(story, run.store),
        made=made(story),
        features=features(story),
        plans=[_plan(entry) for entry in story.plans.values()],
        limits=[*_origin(record), *_limits(story)],
        commands=_commands(run, record["status"], story),
    )


def _outcome(status: str) -> Any:
    """A missed target is a finding that the headline works out itself: the run came to its end."""
    ended = {"target_missed": "done", "interrupted": "paused", "running": "paused"}
    return ended.get(status, status)


def _plan(entry: dict[str, Any]) -> "data.PlanVersion":
    from pipelines.report import data

    plan, decision = entry["plan"], entry.get("decision", {})
    return data.PlanVersion(
        stage=plan["stage"],
        version=plan["version"],
        planner=plan["planner"],
        summary=plan["summary"],
        changes=plan["changes"],
        decision=decision.get("action", ""),
        by=decision.get("by", ""),
        note=decision.get("note", ""),
        answer=entry.get("answer", ""),
    )


def _origin(record: dict[str, Any]) -> list[str]:
    """Where a forked run comes from: its test side may have been read by then."""
    from pipelines.report.headline import fork_words

    words = fork_words(record)
    return [words] if words else []


def _limits(story: Story) -> list[str]:
    """What the numbers of this run do not say."""
    split = story.numbers.get("split_rows")
    if split is None:
        return []
    limits = [
        {
            "time": "Tested on later traffic of the same networks; another network was not tried.",
            "capture": "Tested on captures never seen in training; another site was not tried.",
            "host": "Tested on hosts never seen in training, in the same networks and days.",
            "day": "Tested on later days of the same networks; another network was not tried.",
            "site": "Tested on sites never seen in training, as a new customer's would be.",
            "flow": "Tested on flows of the same captures: traffic of other days may differ.",
            "row": "Tested on records of the same table: traffic of other days may differ.",
            "fixed": "Tested on the source that you named; its distance from the first is unknown.",
        }[split["by"]],
        *_limits_of(story.numbers.get("package_detector", {})),
    ]
    return [*story.numbers.get("audit_shortcuts", {}).get("advice", []), *limits]


def _limits_of(packed: dict[str, Any]) -> list[str]:
    """What the confidence of a packed model does not say."""
    calibrated = packed.get("model") in CALIBRATED
    unknown = packed.get("unknown_below") is not None
    return [
        "Confidence was calibrated on validation rows: on other traffic it may be too high."
        if calibrated
        else "Confidence is not calibrated: read it as an order, not as a probability.",
        "A class that was never shown is called unknown only where the model happens to be unsure."
        if unknown
        else "A class that was never shown is given one of the known names.",
    ]


def _commands(run: RunFolder, status: str, story: Story) -> list[str]:
    """What can be done with the run as it stands."""
    workspace = run.path.parent.parent
    place = "" if workspace == Path(".netloop") else f" --workspace {shlex.quote(str(workspace))}"
    commands = [f"netloop runs show {run.id}{place}", f"netloop report {run.id}{place}"]
    if status in RESUMABLE:
        commands.insert(0, f"netloop runs resume {run.id}{place}")
    if "detector" in story.artifacts:
        source = "CAPTURE" if story.numbers["import_rows"]["captures"] else "TABLE"
        commands.append(f"netloop detect {run.id} {source}{place}")
    return commands


WRITE_REPORT = ToolSpec(
    name="write_report",
    summary="Write the run's report: one HTML file that needs no network",
    params=ReportParams,
    risk="write",
    run=_write,
    estimate=no_cost,
    repeatable=False,
)
