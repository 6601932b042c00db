"""A person's look at the synthetic rows of a run: what is shown, and what is kept of it.

It lies in the run's folder as ``look.json``: plans of the augmentation stage that are proposed
after it filter as it says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from agents.checkpoints import Step
from agents.edits import apply_decision
from agents.take_over import take_over_artefact
from agents.trail import Trail
from pipelines.augment.names import Votes
from pipelines.errors import InputError, NetloopError
from pipelines.store.files import write_atomic
from pipelines.store.run import RunFolder
from pipelines.words import counted
from tools.spec import ToolContext

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.augment.gate.look import Beside
    from pipelines.augment.judged import Judged

NAME = "look.json"
STAGE, MAKE = "augmentation", "augment_rows"


class Looked(BaseModel):
    """What came of a look. ``version``: of the plan that made the rows; ``made``: their hash;
    ``rows`` and ``right``: their positions, and whether each has the right label. ``judged``: the
    artefact of these verdicts and of those that the rows were made by."""

    version: int
    made: str
    rows: list[int]
    right: list[bool]
    judged: str
    votes: Votes | None
    words: str

    @property
    def verdicts(self) -> str:
        """What a plan says of them."""
        wrong = self.right.count(False)
        return f"of {counted(len(self.right), 'row')} looked at {wrong} could not be of their class"


_LOOKS = TypeAdapter(list[Looked])


@dataclass(frozen=True)
class Look:
    """The synthetic rows of a run, those that its filter left out among them. ``version`` and
    ``params`` are of the plan that made them."""

    run: RunFolder
    trail: Trail
    version: int
    params: dict[str, Any]

    @classmethod
    def at(cls, run: RunFolder) -> "Look":
        """The newest rows. Raises InputError if there are none, or if no model could doubt any."""
        trail = Trail(run)
        digest = trail.artifacts.get("made")
        made = [step for (step, name), found in trail.made.items() if found == digest]
        if digest is None or not made:
            raise InputError(
                f"Run {run.id} has made no synthetic rows.",
                "A study finds out whether any help: netloop augment SPEC.yaml",
            )
        place, name = made[-1].split(" ")
        turn = trail.turns[place]
        plan = apply_decision(turn.plan, turn.decisions[-1])
        step: Step = next(step for step in plan.steps if step.tool == name.partition("#")[0])
        look = cls(run, trail, plan.version, step.params)
        if not look.against:
            raise InputError(
                f"Nothing can be said of the labels of run {run.id}.",
                "Its real rows are too few for models to doubt any.",
            )
        return look

    @property
    def before(self) -> Votes | None:
        """The filter of that plan."""
        votes: Votes | None = self.params["votes"]
        return votes

    @cached_property
    def against(self) -> list[int]:
        """How many of three models doubt each row's label, as the filter counts them."""
        from pipelines.augment.screen import doubts

        train, made = self.tables
        seed, masks = self.trail.record["seed"], self.params["masks"]
        found = doubts(train, made, seed, masks=masks, judged=self.judged)
        return [] if found is None else found.tolist()

    @cached_property
    def judged(self) -> "Judged | None":
        """What was said of rows before these were made."""
        from pipelines.augment.judged import Judged

        digest = self.params.get("judged")  # older plans have none
        return Judged.read(self.run.store.path(digest)) if digest else None

    @cached_property
    def tables(self) -> "tuple[pa.Table, pa.Table]":
        """The real rows of the train side, and the synthetic ones."""
        from pipelines.store.rows import read_rows
        from tools.sides import sides_to_choose_by

        context = ToolContext(
            store=self.run.store,
            inputs=self.trail.artifacts,
            seed=self.trail.record["seed"],
        )
        train, _, _ = sides_to_choose_by(context)
        return train, read_rows(context.artifact("made"))

    @cached_property
    def places(self) -> list[int]:
        """Which rows to look at: none that was judged before."""
        import numpy as np

        from pipelines.augment.gate.look import rows_to_look_at

        against, made = np.array(self.against), self.tables[1]
        said = self.judged.verdicts(made, self.params["masks"]) if self.judged else against * 0
        unsaid = np.flatnonzero(said == 0)
        picked = rows_to_look_at(against[unsaid], self.trail.record["seed"])
        return [int(row) for row in unsaid[picked]]

    def pairs(self) -> "list[Beside]":
        """The rows at ``places``, each beside the nearest real row of its class."""
        from pipelines.augment.gate.look import beside_real

        seed = self.trail.record["seed"]
        return beside_real(*self.tables, self.places, self.params["masks"], seed)

    def keep(self, right: Sequence[bool | None]) -> Looked:
        """Write down what a person said of ``places`` (None: skipped) and what follows from it.

        Raises InputError if all were skipped.
        """
        import pyarrow as pa

        from pipelines.augment.gate.look import recommend_votes
        from pipelines.augment.judged import Judged

        said = {p: yes for p, yes in zip(self.places, right, strict=False) if yes is not None}
        rows = self.tables[1].take(pa.array([*said], pa.int64()))
        judged = Judged.of(rows, [*said.values()]).after(self.judged)
        advice = recommend_votes(self.against, [*said], [*said.values()], self.before)
        looked = Looked(
            version=self.version,
            made=self.trail.artifacts["made"],
            rows=[*said],
            right=[*said.values()],
            judged=self.run.store.make(judged.write),
            votes=advice.votes,
            words=advice.words,
        )
        content = _LOOKS.dump_json([*looks_at(self.run), looked], indent=2)
        write_atomic(self.run.path / NAME, content + b"\n")
        return looked


def looks_at(run: RunFolder) -> list[Looked]:
    """What came of each look at the rows of a run, the newest last."""
    path = run.path / NAME
    if not path.exists():
        return []
    try:
        return _LOOKS.validate_json(path.read_bytes())
    except ValidationError as error:
        raise NetloopError(f"{path} cannot be read.", "Remove it, and look again.") from error


def looked_at(run: RunFolder, version: int) -> Looked | None:
    """The look that a plan ``version`` of the augmentation stage has to heed, if there was one."""
    earlier = [looked for looked in looks_at(run) if looked.version < version]
    return earlier[-1] if earlier else None


def take_over_look(source: RunFolder, run: RunFolder) -> None:
    """A run that retraces another heeds what was looked at there, from the same plan on."""
    if looks := looks_at(source):
        write_atomic(run.path / NAME, _LOOKS.dump_json(looks, indent=2) + b"\n")
    for looked in looks:
        take_over_artefact(looked.judged, source, run)
