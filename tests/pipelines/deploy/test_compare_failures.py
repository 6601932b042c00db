"""What cannot be compared is refused, and whatever goes wrong, no process is left."""

import multiprocessing
import os
import signal

import numpy as np
import pyarrow as pa
import pytest

from pipelines.deploy.compare import compare
from pipelines.deploy.link import Link
from pipelines.deploy.sites import shard_sites
from pipelines.errors import InputError, NetloopError

FAST = Link(delay_ms=0, mbit=10_000)


def try_one(rows: pa.Table, **changed) -> None:
    options = {"sites": shard_sites(rows, "office"), "model": "majority", "link": FAST}
    compare(rows, **{**options, **changed})


def of(*sites: object) -> dict[str, np.ndarray]:
    """Sites with these row numbers."""
    return {f"site {number}": np.array(rows) for number, rows in enumerate(sites)}


def test_a_killed_site_is_named_and_nobody_is_left(three_offices: pa.Table) -> None:
    def kill_one(*_: object) -> None:
        crew = {int(p.name.rpartition("-")[2]): p.pid for p in multiprocessing.active_children()}
        if len(crew) == 4:
            os.kill(crew[sorted(crew)[2]], signal.SIGKILL)  # started after the hub and north

    with pytest.raises(NetloopError, match=r"The site 'south' died"):
        try_one(three_offices, progress=kill_one)
    assert multiprocessing.active_children() == []


def test_an_interrupt_leaves_nobody(three_offices: pa.Table) -> None:
    def interrupt(*_: object) -> None:
        if multiprocessing.active_children():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        try_one(three_offices, progress=interrupt)
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"model": "oracle"}, "no model 'oracle'"),
        ({"sites": of(range(4))}, "1 sites cannot be compared"),
        ({"sites": of(*[range(2)] * 40)}, "40 sites cannot be compared"),
        ({"sites": of(range(4), range(3, 8))}, "A row is at two sites"),
        ({"sites": of(range(4), [9999])}, "a row that is none of the 180"),
        ({"sites": of(range(4), [-1])}, "a row that is none of the 180"),
        ({"sites": of(range(4), range(4, 8))}, "too little to learn from"),
        ({"test": 0.0}, "The test share is 0"),
        ({"batch": 0}, "A batch of 0 rows"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_compared_is_refused(three_offices, changed: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        try_one(three_offices, **changed)
