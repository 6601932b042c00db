"""The detector package: a folder with a model and with all that is needed to use and to judge it.

``detector.json`` describes it, ``model/`` is what the classifier saved. Hashes of every file, and
of the description itself, make sure that what was packed is what detects.
"""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipelines.capture import FlowSettings
from pipelines.errors import InputError
from pipelines.models.base import Classifier
from pipelines.models.registry import load_model
from pipelines.store.files import canonical_json, hash_file, hash_text, write_atomic

SCHEMA_VERSION = 1
DESCRIPTION = "detector.json"
MODEL = "model"
DIGEST = "digest"


class Score(BaseModel):
    """A figure on the test side, with its confidence interval."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: float
    low: float | None = None
    high: float | None = None


class DetectorInfo(BaseModel):
    """What whoever packs a detector says about it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="The detector's name in every record that it writes")
    goal: str = Field(description="The sentence that the run began with")
    granularity: Literal["flow", "packet", "table"]
    masks: list[str] = Field(description="Field groups that the model does not see")
    settings: FlowSettings = Field(
        default=FlowSettings(), description="How the flows that it learned from were cut"
    )
    layout: str | None = Field(
        default=None, description="For tables: the layout of those that it learned from"
    )
    columns: dict[str, Literal["number", "text"]] = Field(
        default_factory=dict, description="For tables: the columns that the model needs"
    )
    benign: list[str] = Field(
        default_factory=list, description="Classes with nothing to report; the others are alerts"
    )
    metrics: dict[str, Score] = Field(default_factory=dict)
    thresholds: dict[str, float] = Field(
        default_factory=dict, description="Class -> confidence below which it is unknown instead"
    )


class DetectorManifest(DetectorInfo):
    """The whole description, as it lies in ``detector.json``. It holds no clock reading."""

    schema_version: int = SCHEMA_VERSION
    model: str
    classes: list[str]
    netloop: str = Field(description="The version of netloop that packed it")
    files: dict[str, str] = Field(description="Path below the folder -> SHA-256")


class Detector:
    """A package that was read and found whole: its description and its model."""

    def __init__(self, manifest: DetectorManifest, classifier: Classifier) -> None:
        self.manifest = manifest
        self.classifier = classifier

    @classmethod
    def load(cls, folder: Path) -> "Detector":
        """Read a package. Raises InputError if it is none, is newer than this, or was changed."""
        manifest = read_manifest(folder)
        _check_files(folder, manifest.files)
        classifier = load_model(folder / MODEL)
        if classifier.classes != manifest.classes or classifier.name != manifest.model:
            raise _refused(folder, "its model is not the one that it describes")
        return cls(manifest, classifier)


def package(folder: Path, classifier: Classifier, info: DetectorInfo) -> DetectorManifest:
    """Write a detector into ``folder``, which is made if it is absent and must else be empty.

    The same model and info give the same bytes. Raises InputError if the folder is in use, or if
    ``info`` speaks of classes that the model does not know.
    """
    unknown = sorted({*info.benign, *info.thresholds} - set(classifier.classes))
    if unknown:
        raise InputError(
            f"The model knows no class {unknown[0]!r}.",
            f"It knows {', '.join(classifier.classes)}.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise InputError(f"{folder} is not empty.", "Name a folder that does not exist yet.")
    (folder / MODEL).mkdir()
    classifier.save(folder / MODEL)
    manifest = DetectorManifest(
        **info.model_dump(),
        model=classifier.name,
        classes=classifier.classes,
        netloop=version("netloop"),
        files={name: hash_file(folder / name) for name in _files(folder)},
    )
    content = manifest.model_dump(mode="json")
    content[DIGEST] = hash_text(canonical_json(content))
    write_atomic(folder / DESCRIPTION, json.dumps(content, indent=2, sort_keys=True) + "\n")
    return manifest


def read_manifest(folder: Path) -> DetectorManifest:
    """The description of a package, before its files are looked at. Raises as ``Detector.load``."""
    try:
        content = json.loads((folder / DESCRIPTION).read_bytes())
    except FileNotFoundError as error:
        raise _refused(folder, f"it has no {DESCRIPTION}") from error
    except (OSError, ValueError) as error:
        raise _refused(folder, f"its {DESCRIPTION} cannot be read") from error
    if not isinstance(content, dict):
        raise _refused(folder, f"its {DESCRIPTION} is not an object")
    _check_version(folder, content.get("schema_version"))
    digest = content.pop(DIGEST, None)
    try:
        if digest != hash_text(canonical_json(content)):
            raise _refused(folder, f"its {DESCRIPTION} was changed")
        return DetectorManifest.model_validate(content)
    except ValueError as error:  # ValidationError is one, and so is NaN for canonical_json
        raise _refused(folder, f"its {DESCRIPTION} is no description of a detector") from error


def _check_version(folder: Path, found: Any) -> None:
    if found == SCHEMA_VERSION:
        return
    if isinstance(found, int) and found > SCHEMA_VERSION:
        raise InputError(
            f"The detector in {folder} was packed by a newer netloop (format {found}).",
            f"Upgrade netloop: this one reads format {SCHEMA_VERSION}.",
        )
    raise _refused(folder, f"its format is {found!r}, not {SCHEMA_VERSION}")


def _files(folder: Path) -> list[str]:
    """Files of a package except its description, as paths below ``folder``, sorted."""
    paths = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()]
    return sorted(path for path in paths if path != DESCRIPTION)


def _check_files(folder: Path, expected: dict[str, str]) -> None:
    found = _files(folder)
    for name in sorted({*found, *expected}):
        if name not in found:
            raise _refused(folder, f"{name} is missing")
        if name not in expected:
            raise _refused(folder, f"{name} does not belong to it")
        if (folder / name).is_symlink() or hash_file(folder / name) != expected[name]:
            raise _refused(folder, f"{name} was changed")


def _refused(folder: Path, reason: str) -> InputError:
    return InputError(
        f"{folder} is no detector that can be trusted: {reason}.",
        "Pack it again, or copy the whole folder anew.",
    )
