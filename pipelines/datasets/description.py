"""What a source of labelled traffic is, before and after it is read."""

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipelines.capture.health import CaptureHealth
from pipelines.datasets.fields import BEHAVIOUR, COLUMN, DEFAULT_MASKS, LABEL, SPLIT
from pipelines.datasets.groups import named
from pipelines.errors import InputError

COLUMN_GROUPS = (*DEFAULT_MASKS, *BEHAVIOUR, COLUMN, LABEL, SPLIT)


class SourceFile(BaseModel):
    """A file of a source: its path relative to the source, and its size on disk."""

    path: str
    bytes: int


class ClassFiles(BaseModel):
    """A class of a folder of captures, as the label rule sees it before anything is decoded."""

    name: str
    files: int
    bytes: int


class ColumnDescription(BaseModel):
    """A column of a table: its safe name, the name in the file, and what it seems to hold."""

    name: str
    original: str
    kind: Literal["number", "text"]
    group: str


class SourceDescription(BaseModel):
    """A source that was looked at but not decoded."""

    path: str
    layout: Literal["captures", "table"]
    label: str = Field(description="file, folder, the path of a labels.csv, or a column")
    reason: str = Field(description="Why the label is taken from there")
    files: list[SourceFile]
    classes: list[ClassFiles] = Field(default_factory=list, description="Captures only")
    columns: list[ColumnDescription] = Field(default_factory=list, description="Tables only")
    label_choices: list[str] = Field(default_factory=list)
    preset: str | None = None
    notes: list[str] = Field(default_factory=list, description="Known faults, and what is mended")
    warnings: list[str] = Field(default_factory=list)


class ColumnMap(BaseModel):
    """What a person says about the columns of a table. Names may be the file's or the safe ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str | None = Field(default=None, description="The column that holds the class")
    drop: list[str] = Field(default_factory=list, description="Columns to leave out")
    time: str | None = Field(
        default=None, description="When a row was seen: epoch numbers or ISO 8601"
    )
    host: str | None = Field(default=None, description="Who began a row: splits by host go by it")
    site: str | None = Field(default=None, description="Where a row was seen")
    texts: list[str] = Field(default_factory=list, description="Columns of free text")
    where: dict[str, str] = Field(
        default_factory=dict, description="Column -> pattern (* and ?) that rows must match"
    )
    tolerance_seconds: float = Field(
        default=1, ge=0, description="Labels of flows: how far a flow may lie outside its window"
    )
    clock_offset_seconds: float = Field(
        default=0, description="Labels of flows: the captures' clock minus the labels' clock"
    )
    unlabelled: str | None = Field(
        default=None, description="Labels of flows: the class of flows that nobody labelled"
    )
    groups: dict[str, str] = Field(default_factory=dict, description="Column -> field group")
    classes: dict[str, str] = Field(default_factory=dict, description="Class -> its new name")

    @field_validator("groups")
    @classmethod
    def known_groups(cls, groups: dict[str, str]) -> dict[str, str]:
        """Refuse a field group that does not exist."""
        for group in groups.values():
            if group not in COLUMN_GROUPS:
                known = ", ".join(COLUMN_GROUPS)
                raise ValueError(f"{group!r} is no field group; there are {known}")
        return groups


@dataclass(frozen=True)
class LoadedSource:
    """Rows as docs/design.md describes them, a health record a capture, and what was left out."""

    rows: pa.Table
    health: list[CaptureHealth] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def nearest(wanted: str, choices: list[str]) -> str:
    """A mend that names the choice most like ``wanted``, or all of them."""
    close = get_close_matches(wanted, choices, n=1, cutoff=0.5)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"There are: {named(choices)}."


def no_such_column(wanted: str, choices: list[str]) -> InputError:
    """The error for a column that a table does not have."""
    return InputError(f"The table has no column {wanted!r}.", nearest(wanted, choices))
