"""Small work on one thread, and the caller's setting back afterwards."""

import os
import subprocess
import sys

import numpy as np
import pytest
import sklearn
import sklearn.linear_model
import torch
from threadpoolctl import threadpool_info

from pipelines.models.cnn.training import one_thread
from pipelines.models.threads import MANY_VALUES, threads_for, while_fitting


def threads() -> list[int]:
    np.ones((2, 2)) @ np.ones((2, 2))
    return [library["num_threads"] for library in threadpool_info()]


def test_small_work_is_done_by_one_thread() -> None:
    before = threads()
    with threads_for(1000):
        assert set(threads()) == {1}
    assert threads() == before


def test_large_work_keeps_what_there_is() -> None:
    before = threads()
    with threads_for(MANY_VALUES + 1):
        assert threads() == before


def test_a_library_that_is_loaded_later_is_found() -> None:
    """In a process of its own, since this one has loaded them all."""
    code = (
        "import numpy\nfrom threadpoolctl import threadpool_info\n"
        "from pipelines.models.threads import threads_for\n"
        "with threads_for(1): few = len(threadpool_info())\n"
        "import sklearn.ensemble\n"
        "with threads_for(1): all = threadpool_info()\n"
        "assert len(all) > few, all\n"
        "assert {library['num_threads'] for library in all} == {1}, all\n"
    )
    env = {**os.environ, "OMP_NUM_THREADS": "2"}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)


def test_parameters_go_unchecked_only_while_we_fit() -> None:
    with pytest.raises(KeyError), while_fitting(1000):
        assert set(threads()) == {1}
        assert sklearn.get_config()["skip_parameter_validation"] is True
        raise KeyError
    assert sklearn.get_config()["skip_parameter_validation"] is False


def test_the_networks_thread_is_given_back_even_after_an_error() -> None:
    before = torch.get_num_threads()
    with pytest.raises(KeyError), one_thread():
        assert torch.get_num_threads() == 1
        raise KeyError
    assert torch.get_num_threads() == before
