import numpy as np
import pytest

from paring import _core


@pytest.fixture
def rng():
    return np.random.default_rng(20240607)


@pytest.fixture
def any_threads():
    """Let a test set the number of threads; it is put back afterwards."""
    before = _core.get_num_threads()
    yield
    _core.set_num_threads(before)


@pytest.fixture(params=[1, 2, 3], ids=lambda count: f"threads{count}")
def threads(request, any_threads):
    """Run a test with 1, 2 and 3 threads."""
    _core.set_num_threads(request.param)
    return request.param
