"""The report tool: everything that a run's events and artefacts say, as one HTML file."""

import json
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pipelines.errors import NetloopError
from pipelines.store.artifacts import ArtifactStore
from pipelines.store.events import Event, read_events
from pipelines.store.files import hash_file
from pipelines.store.run import RunFolder
from tools.requirements import no_cost
from tools.spec import Params, ToolContext, ToolResult, ToolSpec

if TYPE_CHECKING:
    from pipelines.report import data

SIDES = ("train", "validation", "test")
RESUMABLE = ("paused", "interrupted", "failed")


class ReportParams(Params):
    pass


def _write(params: ReportParams, context: ToolContext) -> ToolResult:
    from pipelines.report.page import write_report

    if context.run is None:
        raise NetloopError("write_report needs a run to report on.")
    write_report(context.run.report, build_report(context.run))
    return ToolResult(numbers={"report": context.run.report.name})


class Story:
    """A run's events, gathered: each tool's last numbers and artefacts, the plans, the reviews."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.numbers: dict[str, dict[str, Any]] = {}
        self.artifacts: dict[str, str] = {}
        self.plans: dict[tuple[str, int], dict[str, Any]] = {}
        self.reviews: dict[str, list[str]] = {}
        self.overrides: dict[str, dict[str, str]] = {}
        asked: tuple[str, int] | None = None
        for event in events:
            found = event.data
            if event.type in ("step.finished", "step.reused"):
                self.numbers[found["step"]] = found["numbers"]
                self.artifacts |= found["artifacts"]
            elif event.type == "plan.proposed":
                plan = found["plan"]
                self.plans[plan["stage"], plan["version"]] = {"plan": plan}
            elif event.type == "plan.decided":
                asked = found["stage"], found["version"]
                self.plans[asked]["decision"] = found
            elif event.type == "question.answered" and asked:
                self.plans[asked]["answer"] = found["answer"]
            elif event.type == "stage.reviewed":
                self.reviews[found["stage"]] = found["findings"]
                self.overrides.pop(found["stage"], None)
            elif event.type == "gate.overridden":
                self.overrides[found["stage"]] = found

    def override(self) -> str:
        """What was accepted although a gate stopped it; empty if nothing was."""
        from pipelines.report.headline import overridden

        return " ".join(
            overridden(found["found"], found["by"], found["reason"])
            for found in self.overrides.values()
        )

    def tested(self) -> dict[str, Any]:
        """The numbers of the tool that read the test side; empty before it has."""
        return self.numbers.get("evaluate_models") or self.numbers.get("study_few_labels") or {}


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
        models=[_model(row) for row in story.tested().get("models", [])],
        chosen=best,
        difference=_difference(story.tested(), best),
        findings=[line for lines in story.reviews.values() for line in lines],
        data=_data_card(record["spec"], story, run.store),
        split=_split(story, run.store),
        audit=_audit(story.numbers.get("audit_shortcuts"), story.numbers.get("stress_model")),
        per_class=_per_class(story.tested(), best),
        confusion=_confusion(story, run.store, best),
        curves=_curves(story, run.store),
        few_labels=_few_labels(story),
        plans=[_plan(entry) for entry in story.plans.values()],
        limits=_limits(story),
        commands=_commands(run, record["status"], story),
    )


def _outcome(status: str) -> Any:
    """A missed target is a finding that the headline works out itself: the run came to its end."""
    ended = {"target_missed": "done", "interrupted": "paused", "running": "paused"}
    return ended.get(status, status)


def _model(row: dict[str, Any]) -> "data.ModelScore":
    from pipelines.models.registry import BASELINES
    from pipelines.report import data

    return data.ModelScore(
        name=row["name"],
        macro_f1=row["macro_f1"],
        low=row["ci"][0],
        high=row["ci"][1],
        accuracy=row["accuracy"],
        rows_per_second=row.get("rows_per_second"),
        baseline=row["name"] in BASELINES,
        false_positive_rate=row.get("false_positive_rate"),
        captures=row.get("captures"),
    )


def _row_of(tested: dict[str, Any], name: str | None) -> dict[str, Any]:
    return next((row for row in tested.get("models", []) if row["name"] == name), {})


def _difference(tested: dict[str, Any], best: str | None) -> "data.PairedDifference | None":
    from pipelines.report import data

    found = _row_of(tested, best).get("difference")
    if not found:
        return None
    low, high = found["ci"]
    return data.PairedDifference(
        baseline=found["model"], difference=found["delta"], low=low, high=high
    )


def _data_card(spec: dict[str, Any], story: Story, store: ArtifactStore) -> "data.DataCard | None":
    from pipelines.report import data

    imported = story.numbers.get("import_rows")
    if imported is None:
        return None
    sizes = story.numbers.get("split_rows", {}).get("sizes", {})
    names = sorted({name for side in sizes.values() for name in side["classes"]})
    return data.DataCard(
        source=spec["data"]["source"],
        test_source=spec["data"]["test"],
        label=imported["label"],
        granularity=imported["granularity"] if imported["captures"] else "record",
        classes=[
            data.ClassRows(name=n, **{side: sizes[side]["classes"].get(n, 0) for side in SIDES})
            for n in names
        ],
        masks=story.numbers.get("audit_shortcuts", {}).get("masks", []),
        health=_health(story, store),
    )


def _health(story: Story, store: ArtifactStore) -> "data.HealthSummary | None":
    from pipelines.report import data

    folders = [
        store.path(story.artifacts[n]) for n in ("rows", "test_rows") if n in story.artifacts
    ]
    records = [r for folder in folders for r in json.loads((folder / "health.json").read_text())]
    if not records:
        return None
    skipped: dict[str, int] = {}
    for record in records:
        for reason, packets in record["skipped"].items():
            skipped[reason] = skipped.get(reason, 0) + packets
    corrupt = [
        data.CorruptRecord(capture=record["file"], **found)
        for record in records
        for found in record["corrupt_records"]
    ]
    return data.HealthSummary(
        captures=len(records),
        packets=sum(record["packets"] for record in records),
        bytes=sum(record["bytes"] for record in records),
        truncated=sum(record["truncated"] for record in records),
        skipped=skipped,
        corrupt=sum(record["corrupt"] for record in records),
        corrupt_records=corrupt[:20],
    )


def _split(story: Story, store: ArtifactStore) -> "data.SplitProof | None":
    from pipelines.report import data

    found = story.numbers.get("split_rows")
    if found is None:
        return None
    manifest = store.path(story.artifacts["split"]) / "manifest.json"
    return data.SplitProof(
        by=found["by"],
        group="row" if found["by"] == "row" else found["group"],
        sides={
            side: data.SideSize(rows=size["rows"], groups=size["groups"])
            for side, size in found["sizes"].items()
        },
        groups_on_two_sides=found["groups_on_two_sides"],
        manifest_sha256=hash_file(manifest),
        warnings=found["warnings"],
    )


def _audit(found: dict[str, Any] | None, stressed: dict[str, Any] | None) -> "data.Audit | None":
    from pipelines.report import data

    if found is None:
        return None
    return data.Audit(
        rows=[
            data.AuditRow(
                field=row["name"],
                **{key: row[key] for key in data.AuditRow.model_fields if key != "field"},
            )
            for row in found["fields"]
        ],
        duplicates=[
            data.Duplicates(name=row["label"], rows=row["of"], repeated=row["duplicates"])
            for row in found["duplicates"]
        ],
        verdict=found["verdict"],
        reasons=found["reasons"],
        groups=[_audit_group(row, stressed) for row in found["groups"]],
        leaks=[data.AuditLeak(words=r["words"], verdict=r["verdict"]) for r in found["leaks"]],
        forged=_forged(stressed),
    )


def _audit_group(row: dict[str, Any], stressed: dict[str, Any] | None) -> "data.AuditGroup":
    from pipelines.report import data

    falls = {fall["name"]: fall for fall in stressed["falls"]} if stressed else {}
    fall = falls.get(row["group"])
    return data.AuditGroup(
        **{key: row[key] for key in data.AuditGroup.model_fields if key in row},
        fall=fall["fall"] if fall else None,
        fall_ci=fall["ci"] if fall else None,
    )


def _forged(stressed: dict[str, Any] | None) -> "data.ForgedNetwork | None":
    from pipelines.report import data

    if not stressed or not stressed["forged"]["groups"]:
        return None
    forged = stressed["forged"]
    return data.ForgedNetwork(
        model=stressed["model"],
        rows=stressed["rows"],
        **{key: forged[key] for key in ("macro_f1", "fall", "moved")},
    )


def _per_class(tested: dict[str, Any], best: str | None) -> "list[data.ClassScore]":
    from pipelines.report import data

    scores = _row_of(tested, best).get("per_class", {})
    return [
        data.ClassScore(
            name=name,
            precision=score["precision"],
            recall=score["recall"],
            f1=score["f1"],
            rows=score["support"],
        )
        for name, score in scores.items()
    ]


def _confusion(story: Story, store: ArtifactStore, best: str | None) -> "data.Confusion | None":
    from pipelines.report import data

    if best is None or "evaluation" not in story.artifacts:
        return None
    found = json.loads((store.path(story.artifacts["evaluation"]) / "evaluation.json").read_text())
    return data.Confusion(classes=found["classes"], counts=found["models"][best]["confusion"])


def _curves(story: Story, store: ArtifactStore) -> "data.LearningCurves | None":
    from pipelines.report import data

    if "model/cnn" not in story.artifacts:
        return None
    curve = json.loads((store.path(story.artifacts["model/cnn"]) / "fit.json").read_text())["curve"]
    if not curve:
        return None
    scores = [epoch["validation_macro_f1"] for epoch in curve]
    known = [(score, -number) for number, score in enumerate(scores, 1) if score is not None]
    return data.LearningCurves(
        model="cnn",
        train_loss=[epoch["loss"] for epoch in curve],
        validation_macro_f1=scores,
        best_epoch=-max(known)[1] if known else None,
    )


def _few_labels(story: Story) -> "data.FewLabelStudy | None":
    from pipelines.report import data

    found = story.numbers.get("study_few_labels")
    if found is None:
        return None
    metric = story.numbers["record_requirements"]["metric"]
    return data.FewLabelStudy(
        per_class=found["per_class"],
        draws=found["draws"],
        metric=metric,
        models=[_draws(row, metric) for row in found["models"]],
    )


def _draws(row: dict[str, Any], metric: str) -> "data.FewLabelDraws":
    from pipelines.report import data

    spread = row["draws"][metric]
    return data.FewLabelDraws(
        model=row["name"], **{key: spread[key] for key in ("mean", "std", "min", "max")}
    )


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
        "Confidence is not calibrated: read it as an order, not as a probability.",
        "A class that was never shown is given one of the known names.",
    ]
    return [*story.numbers.get("audit_shortcuts", {}).get("advice", []), *limits]


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
