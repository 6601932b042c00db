"""The folder of one run: its spec, its state, its artefacts and its lock."""

import datetime
import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipelines.errors import InputError, NetloopError
from pipelines.store.artifacts import ArtifactStore
from pipelines.store.files import write_atomic

RUN_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{4}")

# The last four digits of an id count parts of a second: ids of one workspace sort by their age.
_PARTS = 0x10000
_TICK = datetime.timedelta(microseconds=16)


class RunFolder:
    """One walk through the life cycle on disk: ``<workspace>/runs/<id>``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = path.name
        self.store = ArtifactStore(path / "artifacts")
        self.events = path / "events.jsonl"
        self.answers = path / "llm.jsonl"
        self.egress = path / "egress.jsonl"
        self.checkpoints = path / "checkpoints.sqlite"
        self.report = path / "report.html"
        self.calls = path / "calls"
        self.workspace = path.parent.parent

    @classmethod
    def create(cls, workspace: Path, record: dict[str, Any]) -> "RunFolder":
        """Make the folder of a new run. Raises InputError if the workspace cannot be written."""
        moment = datetime.datetime.now(datetime.UTC)
        for other in cls.all(workspace)[-1:]:
            moment = max(moment, _moment(other.id) + _TICK)  # a clock may have been set back
        try:
            run = cls(_new_folder(workspace / "runs", moment))
            run.calls.mkdir()
            run.write({"id": run.id, "created": moment.isoformat(timespec="seconds"), **record})
        except OSError as error:
            raise InputError(
                f"The workspace {workspace} cannot be written: {error.strerror}.",
                "Name another with --workspace or NETLOOP_WORKSPACE.",
            ) from error
        return run

    @classmethod
    def open(cls, workspace: Path, name: str) -> "RunFolder":
        """The folder of a run that exists. Raises InputError if there is none of that name."""
        run = cls(workspace / "runs" / name)
        if not RUN_ID.fullmatch(name) or not (run.path / "run.json").is_file():
            known = [other.id for other in cls.all(workspace)]
            last = f"The newest is {known[-1]}." if known else "There are no runs yet."
            raise InputError(
                f"There is no run {name!r} in {workspace}.", f"{last} See: netloop runs list"
            )
        return run

    @classmethod
    def all(cls, workspace: Path) -> list["RunFolder"]:
        """All runs of a workspace, oldest first."""
        found = (workspace / "runs").glob("*/run.json")
        return [cls(path.parent) for path in sorted(found) if RUN_ID.fullmatch(path.parent.name)]

    def read(self) -> dict[str, Any]:
        """The run's record. Raises NetloopError if it is damaged."""
        try:
            record = json.loads((self.path / "run.json").read_bytes())
        except (OSError, ValueError) as error:
            raise NetloopError(f"{self.path / 'run.json'} cannot be read: {error}.") from error
        if not isinstance(record, dict):
            raise NetloopError(f"{self.path / 'run.json'} cannot be read: it is no object.")
        return record

    def standing(self) -> dict[str, Any]:
        """The record; "running" only while a process holds the run: a killed one cannot say so."""
        record = self.read()
        if record["status"] == "running":
            with suppress(NetloopError), self.locked():
                record["status"] = "interrupted"
        return record

    def write(self, record: dict[str, Any]) -> None:
        """Replace the run's record."""
        write_atomic(self.path / "run.json", json.dumps(record, indent=2) + "\n")

    def update(self, **changes: Any) -> None:
        """Change some keys of the run's record."""
        self.write({**self.read(), **changes})

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for this process.

        The lock is the kernel's: it ends with the process, also when that is killed. Raises
        NetloopError if another process has it, InputError if the folder cannot be written.
        """
        try:
            handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise InputError(
                f"Run {self.id} cannot be locked in {self.path}: {error.strerror}.",
                "Make its folder writable for you.",
            ) from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                holder = os.read(handle, 20).decode(errors="replace").strip() or "unknown"
                raise NetloopError(
                    f"Run {self.id} is being worked on by another netloop (process {holder}).",
                    "Wait for it to pause or end, then try again.",
                ) from error
            os.ftruncate(handle, 0)
            os.write(handle, str(os.getpid()).encode())
            yield
        finally:
            os.close(handle)


def _new_folder(runs: Path, moment: datetime.datetime) -> Path:
    """A folder that did not exist, named after the moment, or a later one if that is taken."""
    while True:
        path = runs / f"{moment:%Y%m%d-%H%M%S}-{moment.microsecond * _PARTS // 1_000_000:04x}"
        try:
            path.mkdir(parents=True, mode=0o700)
        except FileExistsError:
            moment += _TICK
        else:
            return path


def _moment(name: str) -> datetime.datetime:
    """When the run of this id was made."""
    second = datetime.datetime.strptime(f"{name[:15]}+0000", "%Y%m%d-%H%M%S%z")
    return second + datetime.timedelta(seconds=int(name[16:], 16) / _PARTS)
