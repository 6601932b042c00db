"""Calling tools one by one from the command line, outside a run, with the workspace's artefacts."""

from pathlib import Path
from typing import Any

from pipelines.executors import Workers
from pipelines.progress import Progress
from pipelines.store.artifacts import ArtifactStore
from tools.calls import call, inputs_of
from tools.rates import Rates
from tools.registry import find_tool
from tools.spec import ToolContext


class Direct:
    """A sequence of tool calls; each finds the artefacts that the ones before it left."""

    def __init__(
        self,
        workspace: Path,
        seed: int,
        progress: Progress,
        executor: str = "auto",
        workers: int | None = None,
    ) -> None:
        self.workers = Workers(executor, workers)
        self.workspace = workspace
        self.seed = seed
        self.progress = progress
        self.artifacts: dict[str, str] = {}

    def call(self, name: str, /, **params: Any) -> dict[str, Any]:
        """Run a tool, or take an equal call's result from the workspace; returns its numbers."""
        tool = find_tool(name)
        context = ToolContext(
            store=ArtifactStore(self.workspace / "artifacts"),
            inputs=inputs_of(tool, self.artifacts),
            seed=self.seed,
            progress=self.progress,
            rates=Rates.of(self.workspace),
            workers=self.workers,
            shards=self.workspace / "shards",
        )
        result, _ = call(tool, params, context, self.workspace / "calls")
        self.artifacts |= result.artifacts
        return result.numbers

    def path(self, name: str) -> Path:
        """The folder of an artefact that an earlier call left."""
        return ArtifactStore(self.workspace / "artifacts").path(self.artifacts[name])

    def import_and_split(
        self,
        source: Path,
        label: str | None,
        granularity: str,
        by: str | None,
        test: float,
        protocols: bool = False,
        test_source: Path | None = None,
    ) -> dict[str, Any]:
        """Rows of a source, cleaned of nothing, on their sides; returns the numbers by tool.

        With a ``test_source`` nothing is drawn: all of the first is learned, the other tested.
        """
        found = self.call("inspect_source", source=str(source), label=label)
        imported = self.call(
            "import_rows",
            source=str(source),
            label=found["label"],
            granularity=granularity,
            protocols=protocols,
        )
        self.call("clean_rows", filters=[])
        if test_source is not None:
            self.call(
                "import_rows",
                name="test_rows",
                source=str(test_source),
                label=found["label"],
                granularity=granularity,
                protocols=protocols,
            )
            by = "fixed"
        by = by or ("row" if found["layout"] == "table" else "time")
        split = self.call("split_rows", by=by, test=test)
        return {"inspect_source": found, "import_rows": imported, "split_rows": split}
