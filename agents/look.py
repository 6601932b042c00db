"""A person's look at the synthetic rows of a run: what is shown, and what is kept of it.

It lies in the run's folder as ``look.json``: plans of the augmentation stage that are proposed
after it filter as it says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, TypeAdapter, ValidationError, model_validator

from agents.checkpoints import STAGES, Plan, Step
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

    from pipelines.augment.gate.look import Beside, Shown
    from pipelines.augment.gate.peers import Doubts
    from pipelines.augment.judged import Judged

NAME = "look.json"
STAGE, MAKE = "augmentation", "augment_rows"


class Looked(BaseModel):
    """What came of a look. ``version``: of the plan that made the rows; ``made``: their hash;
    ``rows``, ``by_lot``, ``against`` and ``right``: positions, whether lot picked each, how many
    models doubted it when it was shown, and whether its label is right, in this look and earlier
    ones at the same rows; ``skipped``: what was shown in them and not judged. ``judged``: the
    artefact of these verdicts and of those that the rows were made by."""

    version: int
    made: str
    rows: list[int]
    by_lot: list[bool]
    against: list[int]
    right: list[bool]
    skipped: list[int] = []
    judged: str
    votes: Votes | None
    words: str

    @model_validator(mode="before")
    @classmethod
    def all_by_lot(cls, found: Any) -> Any:
        """At first lot picked every row, and looks did not say so."""
        if not isinstance(found, dict) or not isinstance(found.get("rows"), list):
            return found
        return {"by_lot": [True] * len(found["rows"]), **found}

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
        """The newest rows. Raises InputError if there are none, if no model could doubt any, or if
        a person has judged each."""
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
        if not look.places:
            raise InputError(f"Every synthetic row of run {run.id} has been judged.")
        return look

    @property
    def before(self) -> Votes | None:
        """The filter of that plan."""
        votes: Votes | None = self.params["votes"]
        return votes

    @cached_property
    def doubts(self) -> "Doubts | None":
        """What three models say of each row's label, as the filter counts them."""
        from pipelines.augment.screen import doubts

        train, made = self.tables
        seed, masks = self.trail.record["seed"], self.params["masks"]
        judged = self._judged(self.params.get("judged"))  # older plans have none
        return doubts(train, made, seed, masks=masks, judged=judged)

    @property
    def against(self) -> list[int]:
        """How many of them doubt each."""
        return [] if self.doubts is None else self.doubts.against.tolist()

    @cached_property
    def earlier(self) -> Looked | None:
        """The last look at these rows, whichever plan made them."""
        same = [one for one in looks_at(self.run) if one.made == self.trail.artifacts["made"]]
        return same[-1] if same else None

    @cached_property
    def judged(self) -> "Judged | None":
        """What was said before: of these rows, and of those that their plan heeded."""
        return self._judged(self.earlier.judged if self.earlier else self.params.get("judged"))

    def _judged(self, digest: str | None) -> "Judged | None":
        from pipelines.augment.judged import Judged

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
    def shown(self) -> "Shown":
        """Which rows to look at: one of those that are equal, none that was judged before, and of
        those that were skipped only where no other is left."""
        import numpy as np

        from pipelines.augment.gate.look import Shown, rows_to_look_at
        from pipelines.augment.gate.peers import Doubts
        from pipelines.augment.judged import equal_rows

        if self.doubts is None:
            return Shown([], [])
        made, masks = self.tables[1], self.params["masks"]
        _, unsaid = np.unique(equal_rows([made], masks), return_index=True)
        if self.judged:
            unsaid = unsaid[self.judged.verdicts(made, masks)[unsaid] == 0]
        new = np.setdiff1d(unsaid, self.earlier.skipped if self.earlier else [])
        left = new if len(new) else np.sort(unsaid)
        doubts = Doubts(self.doubts.against[left], self.doubts.beyond[left])
        picked = rows_to_look_at(doubts, self.trail.record["seed"])
        return Shown(left[picked.rows].tolist(), picked.by_lot)

    @property
    def places(self) -> list[int]:
        """The positions of the rows to look at."""
        return self.shown.rows

    def pairs(self) -> "list[Beside]":
        """The rows at ``places``, each beside the nearest real row of its class."""
        from pipelines.augment.gate.look import beside_real

        seed = self.trail.record["seed"]
        return beside_real(*self.tables, self.places, self.params["masks"], seed)

    def keep(self, right: Sequence[bool | None]) -> Looked:
        """Write down what a person said of ``places`` (None: skipped) and what follows from it.

        Raises InputError if all were skipped.
        """
        import numpy as np
        import pyarrow as pa

        from pipelines.augment.gate.look import Shown, recommend_votes
        from pipelines.augment.judged import Judged

        answers = dict(zip(self.places, right, strict=False))
        said = {place: yes for place, yes in answers.items() if yes is not None}
        if not said:
            raise InputError("No row was judged.")
        lot = dict(zip(*self.shown, strict=True))
        rows, verdicts, by_lot = [*said], [*said.values()], [lot[place] for place in said]
        against = np.array(self.against)
        levels = against[rows].tolist()
        skipped = {place for place in answers if place not in said}
        new = self.tables[1].take(pa.array(rows, pa.int64()))
        judged = Judged.of(new, verdicts).after(self.judged)
        if self.earlier:
            rows, by_lot = self.earlier.rows + rows, self.earlier.by_lot + by_lot
            verdicts, levels = self.earlier.right + verdicts, self.earlier.against + levels
            skipped = skipped.union(self.earlier.skipped).difference(rows)
        against[rows] = levels
        advice = recommend_votes(against, Shown(rows, by_lot), verdicts, self.before)
        looked = Looked(
            version=self.version,
            made=self.trail.artifacts["made"],
            rows=rows,
            by_lot=by_lot,
            against=levels,
            right=verdicts,
            skipped=sorted(skipped),
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


def looks_to_take_over(source: RunFolder, target: Plan | None) -> list[Looked]:
    """The looks that a run heeds which retraces another up to ``target``, or to its end: those at
    rows that it makes, too. Raises NetloopError if their verdicts are lost."""
    looks = looks_at(source)
    if target is not None and target.stage == STAGE:
        looks = [looked for looked in looks if looked.version <= target.version]
    elif target is not None and STAGES.index(target.stage) < STAGES.index(STAGE):
        looks = []
    for looked in looks:
        source.store.path(looked.judged)
    return looks


def take_over_looks(looks: list[Looked], source: RunFolder, run: RunFolder) -> None:
    """Their verdicts, then the looks."""
    for looked in looks:
        take_over_artefact(looked.judged, source, run)
    if looks:
        write_atomic(run.path / NAME, _LOOKS.dump_json(looks, indent=2) + b"\n")
