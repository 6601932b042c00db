"""What cannot be compared is refused, and whatever goes wrong, no process is left."""

import multiprocessing
import os
import signal
import socket

import numpy as np
import pyarrow as pa
import pytest

from pipelines.deploy.compare import compare
from pipelines.deploy.link import Link
from pipelines.errors import InputError, NetloopError

FAST = Link(delay_ms=0, mbit=10_000)


def try_one(rows: pa.Table, **changed) -> None:
    options = {"sites": "office", "model": "majority", "link": FAST, "layouts": ["distributed"]}
    compare(rows, **{**options, **changed})


def test_a_killed_site_is_named_and_nobody_is_left(three_offices: pa.Table) -> None:
    def kill_one(*_: object) -> None:
        for process in multiprocessing.active_children():
            if process.name == "The site 'south'":
                os.kill(process.pid, signal.SIGKILL)

    with pytest.raises(NetloopError, match=r"The site 'south' (was killed by|ended its conn)"):
        try_one(three_offices, progress=kill_one)
    assert multiprocessing.active_children() == []


def test_an_interrupt_leaves_nobody(three_offices: pa.Table) -> None:
    def interrupt(*_: object) -> None:
        if multiprocessing.active_children():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        try_one(three_offices, progress=interrupt)
    assert multiprocessing.active_children() == []


def test_a_port_in_use_is_refused(three_offices: pa.Table) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"cannot listen at port {port}.*another port"):
            try_one(three_offices, port=port)
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"model": "oracle"}, "no model 'oracle'"),
        ({"sites": [np.arange(4)]}, "1 sites cannot be compared"),
        ({"sites": [np.arange(2)] * 40}, "40 sites cannot be compared"),
        ({"sites": [np.arange(4), np.arange(3, 8)]}, "A row is at two sites"),
        ({"sites": [np.arange(4), np.array([9999])]}, "a row that is none of the 180"),
        ({"sites": [np.arange(4), np.array([-1])]}, "a row that is none of the 180"),
        ({"sites": [np.arange(4), np.arange(4, 8)]}, "too little to learn from"),
        ({"test": 0.0}, "The test share is 0"),
        ({"batch": 0}, "A batch of 0 rows"),
        ({"timeout_s": 0.0}, "A time-out of 0"),
        ({"port": 70_000}, "no port 70000"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_compared_is_refused(three_offices, changed: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        try_one(three_offices, **changed)
