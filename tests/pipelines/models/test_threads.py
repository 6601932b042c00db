"""Small work on one thread, and the caller's setting back afterwards."""

import numpy as np
import pytest
import sklearn.linear_model  # noqa: F401 (loads the libraries whose threads are counted)
import torch
from threadpoolctl import threadpool_info

from pipelines.models.cnn.training import one_thread
from pipelines.models.threads import MANY_VALUES, threads_for


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


def test_the_networks_thread_is_given_back_even_after_an_error() -> None:
    before = torch.get_num_threads()
    with pytest.raises(KeyError), one_thread():
        assert torch.get_num_threads() == 1
        raise KeyError
    assert torch.get_num_threads() == before
