"""What all tests share: the folder of real captures and a clean environment."""

import os
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.append(str(REPOSITORY / "tests" / "shared"))  # modules that several tests import


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real labelled captures, or a skip that says where it was looked for."""
    folder = Path(os.environ.get("NETLOOP_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real captures at {folder}: set NETLOOP_DATA")
    return folder
