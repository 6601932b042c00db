"""The key of a workspace: drawn once, its owner's alone, in nothing that is shown."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines.errors import NetloopError
from pipelines.privacy.key import NAME, workspace_key


def test_a_key_is_drawn_once_for_its_owner_alone(tmp_path: Path) -> None:
    key = workspace_key(tmp_path / "new")
    assert len(key) == 32
    assert workspace_key(tmp_path / "new") == key
    assert (tmp_path / "new" / NAME).stat().st_mode & 0o777 == 0o600
    assert workspace_key(tmp_path / "other") != key


def test_processes_that_draw_at_once_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(workspace_key, [tmp_path] * 32))
    assert len(keys) == 1
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_key_that_others_may_read_is_refused_without_showing_it(tmp_path: Path) -> None:
    key = workspace_key(tmp_path)
    (tmp_path / NAME).chmod(0o644)
    with pytest.raises(NetloopError, match="chmod 600") as caught:
        workspace_key(tmp_path)
    assert key.hex() not in str(caught.value)


def test_a_damaged_key_is_refused(tmp_path: Path) -> None:
    workspace_key(tmp_path)
    (tmp_path / NAME).write_bytes(b"short")
    with pytest.raises(NetloopError, match="damaged"):
        workspace_key(tmp_path)


def test_a_workspace_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NetloopError, match="cannot be kept"):
        workspace_key(tmp_path / "file" / "workspace")
