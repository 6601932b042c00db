"""A person's look at the synthetic rows of a run: what is shown, and what is kept of it.

It lies in the run's folder as ``look.json``: plans of the augmentation stage that are proposed
after it filter as it says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from agents.checkpoints import Step
from agents.edits import apply_decision
from agents.trail import Trail
from pipelines.augment.names import Votes
from pipelines.errors import InputError, NetloopError
from pipelines.store.files import write_atomic
from pipelines.store.run import RunFolder
from tools.spec import ToolContext

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.augment.gate.look import Beside

NAME = "look.json"
STAGE, MAKE = "augmentation", "augment_rows"


class Looked(BaseModel):
    """What came of a look. ``version``: of the plan that made the rows; ``synthetic``: their hash;
    ``rows`` and ``right``: their positions, and whether each has the right label."""

    version: int
    synthetic: str
    rows: list[int]
    right: list[bool]
    votes: Votes | None
    words: str


@dataclass(frozen=True)
class Look:
    """The synthetic rows of a run. ``version`` and ``params`` are of the plan that made them."""

    run: RunFolder
    trail: Trail
    version: int
    params: dict[str, Any]

    @classmethod
    def at(cls, run: RunFolder) -> "Look":
        """The newest rows. Raises InputError if there are none, or if no model could doubt any."""
        trail = Trail(run)
        digest = trail.artifacts.get("synthetic")
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
        """The filter that the rows have passed."""
        votes: Votes | None = self.params["votes"]
        return votes

    @cached_property
    def against(self) -> list[int]:
        """How many of three models doubt each row's label, as the filter counts them."""
        from pipelines.augment.screen import doubts

        train, made = self.tables
        found = doubts(train, made, self.trail.record["seed"], masks=self.params["masks"])
        return [] if found is None else found.tolist()

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
        return train, read_rows(context.artifact("synthetic"))

    @cached_property
    def places(self) -> list[int]:
        """Which rows to look at."""
        from pipelines.augment.gate.look import rows_to_look_at

        return rows_to_look_at(self.against, self.trail.record["seed"])

    def pairs(self) -> "list[Beside]":
        """The rows at ``places``, each beside the nearest real row of its class."""
        from pipelines.augment.gate.look import beside_real

        seed = self.trail.record["seed"]
        return beside_real(*self.tables, self.places, self.params["masks"], seed)

    def keep(self, right: Sequence[bool | None]) -> Looked:
        """Write down what a person said of ``places`` (None: skipped) and what follows from it.

        Raises InputError if all were skipped.
        """
        from pipelines.augment.gate.look import recommend_votes

        said = {p: yes for p, yes in zip(self.places, right, strict=False) if yes is not None}
        advice = recommend_votes(self.against, [*said], [*said.values()], self.before)
        looked = Looked(
            version=self.version,
            synthetic=self.trail.artifacts["synthetic"],
            rows=[*said],
            right=[*said.values()],
            votes=advice.votes,
            words=advice.words,
        )
        write_atomic(self.run.path / NAME, looked.model_dump_json(indent=2) + "\n")
        return looked


def looked_at(run: RunFolder, version: int) -> Looked | None:
    """The look that a plan ``version`` of the augmentation stage has to heed, if there was one."""
    path = run.path / NAME
    if not path.exists():
        return None
    try:
        looked = Looked.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise NetloopError(f"{path} cannot be read.", "Remove it, and look again.") from error
    return looked if version > looked.version else None


def take_over_look(source: RunFolder, run: RunFolder) -> None:
    """A run that retraces another heeds what was looked at there, from the same plan on."""
    path = source.path / NAME
    if path.exists():
        write_atomic(run.path / NAME, path.read_bytes())
