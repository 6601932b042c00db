"""What a report shows of the data: where rows come from, the split, the audit."""

import json
from typing import TYPE_CHECKING, Any

from pipelines.store.artifacts import ArtifactStore
from pipelines.store.files import hash_file
from tools.story import Story

if TYPE_CHECKING:
    from pipelines.report import data

SIDES = ("train", "validation", "test")


def data_card(spec: dict[str, Any], story: Story, store: ArtifactStore) -> "data.DataCard | None":
    """Where the rows come from, how many of each class, how healthy; None before the import."""
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


def split_proof(story: Story, store: ArtifactStore) -> "data.SplitProof | None":
    """The split and the count that proves it clean; None before it."""
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


def audit_section(story: Story) -> "data.Audit | None":
    """What the audit found, with what the chosen model lost where it was asked."""
    from pipelines.report import data

    found, stressed = story.numbers.get("audit_shortcuts"), story.numbers.get("stress_model")
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
