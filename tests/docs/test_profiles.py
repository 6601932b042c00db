"""The pages of the profiles say what the code does."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from agents.terminal.app import app
from pipelines.profiles.pages import INDEX, index, page, write_pages
from pipelines.profiles.registry import PROFILES

PAGES = Path(__file__).resolve().parents[2] / "docs" / "profiles"


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_has_its_page(name: str) -> None:
    again = "write them anew: pipelines.profiles.pages.write_pages(Path('docs/profiles'))"
    assert (PAGES / f"{name}.md").read_text() == page(PROFILES[name]), again


def test_no_page_is_left_over(tmp_path: Path) -> None:
    write_pages(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in PAGES.iterdir()}


@pytest.mark.parametrize("name", PROFILES)
def test_a_page_is_a_table_of_six_cells(name: str) -> None:
    """A bar in a meaning would tear the table."""
    table = page(PROFILES[name]).split("## Columns")[1]
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert len(rows) > 2
    assert {line.count("|") for line in rows} == {7}


def test_the_index_leads_to_every_page() -> None:
    text = index()
    assert (PAGES / INDEX).read_text() == text
    links = re.findall(r"\]\(([\w-]+\.md)\)", text)
    assert {*links, INDEX} == {path.name for path in PAGES.iterdir()}


def test_the_commands_of_the_index_name_options_that_exist() -> None:
    command = get_command(app).commands["data"].commands["export"]
    known = {name for parameter in command.params for name in parameter.opts}
    assert {*re.findall(r" (--[a-z]+)", index())} <= known
