"""The commands of the page on splits, run as they stand in an empty folder."""

import re
from pathlib import Path

import pytest
from command_line import run_line

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "trustworthy-split.md").read_text()
COMMANDS = "".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)).splitlines()


@pytest.mark.slow
def test_the_commands_work_and_the_lab_is_trustworthy(tmp_path: Path) -> None:
    assert len(COMMANDS) >= 9
    for command in COMMANDS:
        done = run_line(command, tmp_path, {"COLUMNS": "100"})
        assert done.code == 0, f"{command}\n{done.err}"
        if " audit " in command:
            assert "The audit calls this trustworthy." in done.out, command
        elif " split " in command:
            assert "No group is on two sides." in done.out, command
    assert "not one probability moved" in " ".join(done.out.split())
    assert (tmp_path / "audit.png").read_bytes().startswith(b"\x89PNG")


def test_the_page_names_every_way_that_the_command_takes() -> None:
    from pipelines.datasets.group_names import LADDER

    for group in LADDER:
        assert f"| `{group}` |" in PAGE


def test_the_page_fits_on_a_page() -> None:
    assert len(PAGE.split()) < 900
