"""The commands of the page on splits, run as they stand in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "trustworthy-split.md").read_text()
COMMANDS = "".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)).splitlines()


@pytest.mark.slow
def test_the_commands_work_and_the_lab_is_trustworthy(tmp_path: Path) -> None:
    assert len(COMMANDS) >= 9
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command in COMMANDS:
        done = subprocess.run(
            command,
            shell=True,
            cwd=tmp_path,
            env={**os.environ, "PATH": path, "COLUMNS": "100"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        if " audit " in command:
            assert "The audit calls this trustworthy." in done.stdout, command
        elif " split " in command:
            assert "No group is on two sides." in done.stdout, command
    assert "not one probability moved" in " ".join(done.stdout.split())
    assert (tmp_path / "audit.png").read_bytes().startswith(b"\x89PNG")


def test_the_page_names_every_way_that_the_command_takes() -> None:
    from pipelines.datasets.group_names import LADDER

    for group in LADDER:
        assert f"| `{group}` |" in PAGE


def test_the_page_fits_on_a_page() -> None:
    assert len(PAGE.split()) < 900
