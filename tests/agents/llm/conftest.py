"""A desk in a run's folder, before a server that fails as it is told to."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from llm_desk import GOOD, Desk, OpenDesk
from openai_double import openai_double


@pytest.fixture
def desk(tmp_path: Path) -> OpenDesk:
    """Opens a desk (see ``OpenDesk``); after each test the key is in none of its files."""
    run = tmp_path / "ws" / "runs" / "20260101-000000-abcd"
    run.mkdir(parents=True)

    @contextmanager
    def opened(*modes: str, **rules: Any) -> Iterator[Desk]:
        reply = rules.pop("reply", lambda request: GOOD)
        with openai_double(reply, modes, **rules) as server:
            opened_desk = Desk(server, run)
            yield opened_desk
            opened_desk.check_files()

    return opened
