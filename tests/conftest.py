"""What all tests share: the folders of real and of made captures."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.append(str(REPOSITORY / "tests" / "shared"))  # modules that several tests import

if "PYTEST_XDIST_WORKER" in os.environ:  # one of several: threads of each would wait for others
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Figures of tests are a processor's, on every machine. test_gpu.py is run with this variable set.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

settings.register_profile("any machine", deadline=None)  # how long a test takes proves nothing
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real labelled captures, or a skip that says where it was looked for."""
    folder = Path(os.environ.get("NETLOOP_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real captures at {folder}: set NETLOOP_DATA")
    return folder


@pytest.fixture
def small_forests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forests of few trees, for tests of what is done with a model and not of how good it is."""
    monkeypatch.setattr("pipelines.models.baselines.ladder.TREES", 20)
    monkeypatch.setattr("pipelines.augment.gate.models.TREES", 20)


@pytest.fixture(scope="session")
def tiny_lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The labelled captures of the tiny lab, a folder a class. All tests read it."""
    from pipelines.lab.lab import make_lab

    return make_lab(tmp_path_factory.mktemp("tiny") / "lab", size="tiny").folder
