"""Protocol columns through the tools: imported when asked for, and read again by a detector."""

from pathlib import Path

import pytest

from pipelines.protocols.columns import COLUMNS
from pipelines.store.artifacts import ArtifactStore
from pipelines.store.rows import read_rows
from tools.calls import check_params
from tools.registry import find_tool
from tools.spec import ToolContext

NAMES = {column.name for column in COLUMNS}


@pytest.mark.parametrize("granularity", ["flow", "packet"])
@pytest.mark.parametrize("protocols", [False, True])
def test_rows_tell_what_protocols_say_when_asked(
    tiny_lab: Path, tmp_path: Path, granularity: str, protocols: bool
) -> None:
    tool = find_tool("import_rows")
    asked = {"source": str(tiny_lab), "label": "folder", "granularity": granularity}
    context = ToolContext(ArtifactStore(tmp_path / "artifacts"))
    result = tool.run(check_params(tool, {**asked, "protocols": protocols}), context)
    rows = read_rows(context.store.path(result.artifacts["rows"]))
    assert (set(rows.column_names) >= NAMES) is protocols
    if protocols:
        spoken = {name for name in NAMES if rows[name].null_count < rows.num_rows}
        assert spoken >= {"dns_name", "dns_code", "banner_client"}
    else:
        assert not NAMES & set(rows.column_names)
