"""The page about several sites says what the code does."""

import inspect
import re
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.deploy import compare as module
from pipelines.deploy.compare import MOST_SITES, compare
from pipelines.deploy.job import LAYOUTS
from pipelines.deploy.link import Link
from pipelines.deploy.sites import CONCENTRATION
from pipelines.deploy.wire import SILENCE_SECONDS

PAGE = (Path(__file__).parents[3] / "docs" / "deployment.md").read_text()


def test_every_layout_and_option_that_is_named_exists() -> None:
    assert all(f"`{layout}`" in PAGE for layout in LAYOUTS)
    options = set(inspect.signature(compare).parameters)
    assert all(name in options and f"`{name}`" in PAGE for name in ("test", "batch"))


def test_numbers_are_those_of_the_code() -> None:
    assert MOST_SITES == 32 and "Thirty-two sites" in PAGE
    assert SILENCE_SECONDS == 6 * 3600 and "six hours" in PAGE
    assert f"concentration ({CONCENTRATION})" in PAGE


def test_the_example_runs(
    three_offices: pa.Table,
    study,
    result,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All of it but the reading of captures and the processes."""
    asked: dict[str, object] = {}

    def without_processes(rows: pa.Table, **options: object) -> object:
        asked.update(inspect.signature(compare).bind(rows, **options).arguments)
        return study(result("centralised", 0.9, 1000, 1.0), result("hybrid", 0.8, 10, 1.0))

    class Loaded:
        rows = three_offices

    monkeypatch.setattr("pipelines.datasets.sources.load_source", lambda path, label: Loaded)
    monkeypatch.setattr(module, "compare", without_processes)
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(code, "deployment.md", "exec"), {"__name__": "__main__"})
    assert asked["link"] == Link(delay_ms=20, mbit=10)
    assert len(asked["sites"]) == 4
    assert "centralised" in capsys.readouterr().out
    assert (tmp_path / "layouts.svg").read_text().count("<desc") == 1
