"""How many threads a model computes with, and what scikit-learn need not do for us."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from threadpoolctl import ThreadpoolController

# Work on fewer feature values than this is done before threads pay.
MANY_VALUES = 20_000_000


@contextmanager
def threads_for(values: int) -> Iterator[None]:
    """One thread of BLAS and OpenMP for small work, all of them for large.

    Small steps that wait for each other gain little from a second core on an idle machine, and
    become many times slower on a busy one, where every step waits for the slowest thread.
    """
    with _libraries(len(sys.modules)).limit(limits=None if values > MANY_VALUES else 1):
        yield


@contextmanager
def while_fitting(values: int) -> Iterator[None]:
    """``threads_for`` a scikit-learn model whose parameters are constants: to check them anew for
    every tree takes a third of what a small forest takes."""
    from sklearn import config_context

    with threads_for(values), config_context(skip_parameter_validation=True):
        yield


@lru_cache(maxsize=1)
def _libraries(modules: int) -> ThreadpoolController:
    """What computes with threads, searched again (4 ms) only when ``modules`` were imported."""
    return ThreadpoolController()
