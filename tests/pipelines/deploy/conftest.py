"""Rows of three classes, and both ends of a connection."""

import socket
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pytest

from pipelines.datasets.fields import field
from pipelines.deploy.link import Link
from pipelines.deploy.study import (
    DeploymentStudy,
    Latency,
    LayoutResult,
    Score,
    SiteResult,
)

MARKER = "planted-7f3a9c51e2"
Rows = Callable[..., pa.Table]


def make_rows(parts: list[tuple[str, str, int]], seed: int = 0) -> pa.Table:
    """``parts``: (office, label, flows). ``size`` tells the classes apart; two rows a flow.

    ``note`` holds the marker in every row, ``src`` is hidden from models.
    """
    random = np.random.default_rng(seed)
    offices = [office for office, _, flows in parts for _ in range(2 * flows)]
    labels = [label for _, label, flows in parts for _ in range(2 * flows)]
    place = np.array([sorted({*labels}).index(label) for label in labels])
    count = len(labels)
    columns = [
        (field("label", pa.string(), "label"), labels),
        (field("capture", pa.string(), "split"), [f"{office}/a.pcap" for office in offices]),
        (field("flow", pa.int64(), "split"), np.arange(count) // 2),
        (field("office", pa.string(), "split"), offices),
        (field("src", pa.string(), "addresses"), ["hidden-from-models"] * count),
        (field("size", pa.float64(), "sizes"), 10.0 * place + random.random(count)),
        (field("note", pa.string(), "column"), [f"{MARKER}-{n}" for n in range(count)]),
    ]
    return pa.Table.from_arrays(
        [pa.array(values, column.type) for column, values in columns],
        schema=pa.schema([column for column, _ in columns]),
    )


@pytest.fixture(scope="session")
def rows() -> Rows:
    return make_rows


@pytest.fixture(scope="session")
def three_offices() -> pa.Table:
    """``north`` sees mail and web, ``south`` web and worm, ``west`` the worm alone."""
    seen = [("north", "mail"), ("north", "web"), ("south", "web"), ("south", "worm")]
    return make_rows([*((office, label, 20) for office, label in seen), ("west", "worm", 10)])


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected TCP sockets that wait for a second at most."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname(), 1)
        other, _ = listener.accept()
    other.settimeout(1)
    with one, other:
        yield one, other


def make_result(layout: str, macro_f1: float, moved: int, latency: float | None) -> LayoutResult:
    """A layout with one site of ten rows."""
    wait = None if latency is None else Latency(median_ms=latency, p95_ms=2 * latency)
    score = Score(accuracy=macro_f1, macro_f1=macro_f1, ci=(0.0, 1.0))
    site = SiteResult(
        site="north", train_rows=7, test_rows=3, score=score, latency=wait, bytes_train=moved,
        bytes_judge=0,
    )  # fmt: skip
    return LayoutResult(
        layout=layout, sites=[site], score=score, training_minutes=1.5, latency=wait,
        trainings=1, bytes_train=moved, bytes_judge=0, bytes_hub=0,
    )  # fmt: skip


def make_study(*results: LayoutResult) -> DeploymentStudy:
    """These layouts as a study."""
    return DeploymentStudy(
        model="majority", seed=0, link=Link(), batch=32, classes=["a", "b"], layouts=results
    )


@pytest.fixture
def result() -> Callable[..., LayoutResult]:
    return make_result


@pytest.fixture
def study() -> Callable[..., DeploymentStudy]:
    return make_study


@pytest.fixture(scope="session")
def marker() -> str:
    """What the column ``note`` of every row begins with."""
    return MARKER
