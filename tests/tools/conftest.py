"""What tools are called with, over a split that a module's own fixture ``split`` made."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.store.artifacts import ArtifactStore
from tools.calls import inputs_of
from tools.rates import Rates
from tools.registry import TOOLS
from tools.spec import ToolContext

MakeContext = Callable[..., ToolContext]


@pytest.fixture
def context(split: tuple[Path, dict[str, str]], tmp_path: Path) -> MakeContext:
    """``context(tool, **more artefacts)`` in a workspace of the test's own."""
    workspace = tmp_path / "workspace"
    shutil.copytree(split[0], workspace)

    def make(tool: str, **artifacts: str) -> ToolContext:
        return ToolContext(
            store=ArtifactStore(workspace / "artifacts"),
            inputs=inputs_of(TOOLS[tool], {**split[1], **artifacts}),
            rates=Rates.of(workspace),
        )

    return make
