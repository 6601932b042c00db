"""What a split is once it is drawn: a side for every row, and a manifest that proves it clean."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.datasets.group_names import NESTED, Group, group_names
from pipelines.datasets.keys import Codes, numbers, text_codes
from pipelines.errors import InputError, NetloopError
from pipelines.store.files import write_atomic

Side = Literal["train", "validation", "test"]
SIDES: tuple[Side, ...] = ("train", "validation", "test")
MANIFEST_FILE = "manifest.json"
SIDES_FILE = "sides.npy"


class Size(BaseModel):
    """How much of a class a side holds. A group that spans classes counts in each of them."""

    rows: int
    groups: int


class Proof(BaseModel):
    """The outcome of looking at every group: a clean split has none on two sides."""

    groups_on_two_sides: int
    checked: int = Field(description="Groups looked at: all of them")


class SplitManifest(BaseModel):
    """Everything about a split but the rows themselves; JSON.

    Groups are listed by their names, addresses as they are: the manifest lies where the captures
    lie, and a person must be able to look a host up in it. Do not publish it unread.
    """

    model_config = ConfigDict(extra="forbid")

    by: str = Field(description="time, flow, capture, host, day, site, row or fixed")
    group: Group = Field(description="The split group: flow, capture, host, day or site")
    test: float | None = Field(description="Share of each class's groups; None for a fixed test")
    validation: float = Field(description="Share of each class's train groups")
    seed: int
    rows: int
    row_order_sha256: str = Field(description="Hash over label, capture and flow of every row")
    sizes: dict[Side, dict[str, Size]]
    proof: Proof
    warnings: list[str]
    groups: dict[Side, list[str]] = Field(description="Every group, under the side that it is on")


@dataclass(frozen=True)
class Split:
    """A side for every row: ``side`` has shape (rows,), int8, and counts along ``SIDES``."""

    side: npt.NDArray[np.int8]
    document: SplitManifest

    @property
    def warnings(self) -> list[str]:
        """What a person should know before believing a score on this split."""
        return self.document.warnings

    def rows_on(self, *sides: Side) -> Codes:
        """Positions of the rows on these sides, ascending."""
        return np.flatnonzero(np.isin(self.side, [SIDES.index(side) for side in sides]))

    def manifest(self) -> dict[str, Any]:
        """The manifest as JSON values."""
        return self.document.model_dump(mode="json")

    def check(self, rows: pa.Table) -> None:
        """Prove again, on the rows themselves, that the split is theirs and clean.

        Raises NetloopError if these are other rows, or if any group is on two sides.
        """
        if rows.num_rows != len(self.side) or row_order(rows) != self.document.row_order_sha256:
            raise NetloopError(
                "The split was drawn for other rows, or for the same rows in another order.",
                "Draw the split again on this dataset.",
            )
        for group in NESTED[self.document.group]:
            straddling = groups_on_two_sides(group_names(rows, group)[1], self.side)
            if straddling:
                raise NetloopError(
                    f"{straddling} {group} groups are on two sides of the split.",
                    "A score on it would mean nothing: draw the split again.",
                )

    def save(self, folder: Path) -> None:
        """Write ``manifest.json`` and ``sides.npy`` into an existing folder."""
        write_atomic(folder / MANIFEST_FILE, json.dumps(self.manifest(), indent=1, sort_keys=True))
        np.save(folder / SIDES_FILE, self.side, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote. Raises InputError if the folder holds no whole split."""
        try:
            document = SplitManifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())
            side = np.load(folder / SIDES_FILE, allow_pickle=False)
        except (OSError, ValueError, EOFError, ValidationError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{folder} holds no split: {reason}.", "Draw it again.") from error
        fits = side.dtype == np.int8 and side.shape == (document.rows,)
        if not fits or not np.isin(side, range(len(SIDES))).all():
            raise InputError(
                f"{folder / SIDES_FILE} does not fit its manifest.", "Draw the split again."
            )
        return cls(side, document)


def groups_on_two_sides(groups: Codes, side: npt.NDArray[np.int8]) -> int:
    """How many groups have rows on more than one side."""
    pairs = np.unique(groups * len(SIDES) + side)
    _, sides = np.unique(pairs // len(SIDES), return_counts=True)
    return int((sides > 1).sum())


def row_order(rows: pa.Table) -> str:
    """SHA-256 over label, capture and flow of every row, in order."""
    digest = hashlib.sha256()
    for name in ("label", "capture"):
        values, codes = text_codes(rows, name)
        digest.update(json.dumps(values).encode())
        digest.update(codes.tobytes())
    digest.update(np.ascontiguousarray(numbers(rows, "flow")).tobytes())
    return digest.hexdigest()
