"""Model files: equal bytes for equal models, and nothing in a hostile one is executed."""

import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from pipelines.errors import InputError
from pipelines.models.baselines.lookup import FieldLookup
from pipelines.models.skops_file import read_skops, write_skops

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(60, 4)).astype(np.float32)
NUMBERS = (FEATURES[:, 0] > 0).astype(int) + (FEATURES[:, 1] > 1)

ESTIMATORS: list[Callable[[], object]] = [
    lambda: DummyClassifier(strategy="prior"),
    lambda: FieldLookup([[0, 1], [1, 2]]),
    lambda: KNeighborsClassifier(3, algorithm="brute"),
    lambda: LogisticRegression(),
    lambda: RandomForestClassifier(5, random_state=0),
    lambda: HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=2, random_state=0),
]


class Harm:
    """A pickle that leaves a mark where it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "harmed"


def refused(path: Path) -> str:
    with pytest.raises(InputError, match="not a model that can be read safely") as caught:
        read_skops(path)
    return str(caught.value)


@pytest.mark.parametrize("make", ESTIMATORS)
def test_the_same_probabilities_after_reading(make: Callable, tmp_path: Path) -> None:
    fitted = make().fit(FEATURES, NUMBERS)
    write_skops(tmp_path / "m.skops", fitted)
    again = read_skops(tmp_path / "m.skops")
    assert (again.predict_proba(FEATURES) == fitted.predict_proba(FEATURES)).all()


@pytest.mark.parametrize("make", ESTIMATORS)
def test_the_same_fit_gives_the_same_bytes(make: Callable, tmp_path: Path) -> None:
    contents = []
    for attempt in range(2):
        path = tmp_path / f"{attempt}.skops"
        write_skops(path, make().fit(FEATURES, NUMBERS))
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]


PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from pipelines.models.skops_file import write_skops
waste = [bytearray(int(sys.argv[2])) for _ in range(100)]
features = np.arange(80.0).reshape(20, 4)
write_skops(Path(sys.argv[1]), RandomForestClassifier(3, random_state=0).fit(features, [0, 1] * 10))
"""


def test_the_same_bytes_from_two_processes(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    # The other's allocator fills fresh memory, so that bytes that nobody set would differ.
    environment = {**os.environ, "MALLOC_PERTURB_": "3", "PYTHONHASHSEED": "3000"}
    command = [sys.executable, "-c", PROGRAM, str(there), "3000"]
    subprocess.run(command, check=True, env=environment, cwd=Path(__file__).parents[3])
    features = np.arange(80.0).reshape(20, 4)
    write_skops(here, RandomForestClassifier(3, random_state=0).fit(features, [0, 1] * 10))
    assert here.read_bytes() == there.read_bytes()


def test_a_pickle_in_disguise(tmp_path: Path, mark: Path) -> None:
    path = tmp_path / "m.skops"
    path.write_bytes(pickle.dumps(Harm(mark)))
    refused(path)
    assert not mark.exists()


def test_a_pickle_inside(tmp_path: Path, mark: Path) -> None:
    path = tmp_path / "m.skops"
    write_skops(path, LogisticRegression().fit(FEATURES, NUMBERS))
    array = np.empty(1, dtype=object)
    array[0] = Harm(mark)
    target = io.BytesIO()
    np.save(target, array, allow_pickle=True)
    rewrite(path, lambda name, content: target.getvalue() if name.endswith(".npy") else content)
    refused(path)
    assert not mark.exists()


@pytest.mark.parametrize("loader", ["FunctionNode", "TypeNode", "ObjectNode", "MethodNode"])
def test_a_function_that_no_model_has(tmp_path: Path, mark: Path, loader: str) -> None:
    path = tmp_path / "m.skops"
    write_skops(path, DummyClassifier().fit(FEATURES, NUMBERS))
    evil = {
        "__class__": "mkdir",
        "__module__": "os",
        "__loader__": loader,
        "content": {"module_path": "os", "function": "mkdir", "func": "mkdir", "obj": None},
        "__id__": 1,
    }

    def change(name: str, content: bytes) -> bytes:
        if name != "schema.json":
            return content
        schema = json.loads(content)
        return json.dumps({**evil, "protocol": schema["protocol"]}).encode()

    rewrite(path, change)
    refused(path)
    assert not mark.exists()


def test_a_type_outside_the_list_is_named(tmp_path: Path) -> None:
    path = tmp_path / "m.skops"
    path.write_bytes(skops.io.dumps(Harm(tmp_path)))
    assert "Harm" in refused(path)


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x05\x06" + bytes(18), b"\x80\x04N."])
def test_what_is_no_model(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.skops"
    path.write_bytes(content)
    refused(path)


def test_no_file(tmp_path: Path) -> None:
    refused(tmp_path / "nothing.skops")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_file(tmp_path: Path, share: float) -> None:
    path = tmp_path / "m.skops"
    write_skops(path, RandomForestClassifier(2).fit(FEATURES, NUMBERS))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    refused(path)


def test_every_flipped_byte_is_refused_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "m.skops"
    write_skops(path, LogisticRegression().fit(FEATURES, NUMBERS))
    content = path.read_bytes()
    for place in np.random.default_rng(0).integers(len(content), size=200):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            read_skops(path)
        except InputError:
            continue


def rewrite(path: Path, change: Callable[[str, bytes], bytes]) -> None:
    with zipfile.ZipFile(path) as old:
        parts = {name: change(name, old.read(name)) for name in old.namelist()}
    with zipfile.ZipFile(path, "w") as new:
        for name, content in parts.items():
            new.writestr(name, content)
