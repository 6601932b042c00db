"""Whether a replay came to what was recorded: plan by plan, decision by decision, hash by hash."""

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.checkpoints import plan_changes
from agents.trail import Trail, Turn, decision_words

What = Literal["plan", "decision", "artefact", "status"]
Item = tuple[What, str]


class ReplayRow(BaseModel):
    """One thing that a run left; None where one of the two does not have it."""

    model_config = ConfigDict(extra="forbid")

    what: What
    name: str = Field(description="'design/2', or 'design/2 train_cnn model/cnn'")
    recorded: str | None
    replayed: str | None
    same: bool


class ReplayReport(BaseModel):
    """The JSON document of ``netloop runs replay --json``."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(description="The run that was repeated")
    run: str = Field(description="The new run")
    equal: bool
    first: str | None = Field(default=None, description="What differs first, in a sentence")
    changes: list[str] = Field(
        default_factory=list, description="If that is a plan: how it differs, a line each"
    )
    versions: list[str] = Field(
        default_factory=list, description="Libraries that are not those of the run: 'torch: ...'"
    )
    rows: list[ReplayRow] = Field(default_factory=list, description="In the order of the run")


def replay_report(source: Trail, replayed: Trail) -> ReplayReport:
    """Compare a replay with its source; a replay that stopped has less to show."""
    recorded, now = dict(_items(source)), dict(_items(replayed))
    rows = [
        ReplayRow(
            what=what,
            name=name,
            recorded=recorded.get((what, name)),
            replayed=now.get((what, name)),
            same=recorded.get((what, name)) == now.get((what, name)),
        )
        for what, name in dict.fromkeys([*recorded, *now])
    ]
    first = next((row for row in rows if not row.same), None)
    return ReplayReport(
        source=source.run.id,
        run=replayed.run.id,
        equal=first is None,
        first=None if first is None else _words(first, replayed),
        changes=_changes(first, source, replayed),
        versions=_versions(source, replayed),
        rows=rows,
    )


def _items(trail: Trail) -> Iterator[tuple[Item, str]]:
    """All that is compared, in the order in which it came about."""
    for place, turn in trail.turns.items():
        yield ("plan", place), turn.plan.digest()
        if turn.decisions:
            yield ("decision", place), _decided(turn)
        for (step, name), digest in trail.made.items():
            if step.startswith(f"{place} "):
                yield ("artefact", f"{step} {name}"), digest
    yield ("status", ""), trail.record["status"]


def _decided(turn: Turn) -> str:
    return "; ".join(map(decision_words, turn.decisions))


def _words(row: ReplayRow, replayed: Trail) -> str:
    name = row.what if row.what == "status" else f"{row.what} {row.name}"
    if row.replayed is None:
        why = replayed.record.get("error")
        last = [*replayed.turns][-1:] or ["nothing"]
        rest = why or f"the replay came to {last[0]}"
        return f"The {name} did not come again: {rest}"
    if row.recorded is None:
        return f"The {name} is new: the run had none."
    shown = [_short(row, value) for value in (row.recorded, row.replayed)]
    return f"The {name} differs: recorded {shown[0]}, now {shown[1]}."


def _short(row: ReplayRow, value: str) -> str:
    return value[:12] if row.what in ("plan", "artefact") else value


def _changes(first: ReplayRow | None, source: Trail, replayed: Trail) -> list[str]:
    if first is None or first.what != "plan" or not (first.recorded and first.replayed):
        return []
    return plan_changes(source.turns[first.name].plan, replayed.turns[first.name].plan)


def _versions(source: Trail, replayed: Trail) -> list[str]:
    then, now = source.record.get("versions", {}), replayed.record["versions"]
    names = dict.fromkeys([*then, *now])
    return [
        f"{name}: {then.get(name, 'none')} -> {now.get(name, 'none')}"
        for name in names
        if then.get(name) != now.get(name)
    ]
