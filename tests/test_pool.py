"""Who works when the pool is wanted by several, wanted inside itself, or not worth waking.

Every test runs in a fresh interpreter (pool_process.py). What is seen are threads and the order of events, no times.
"""

import sys

import pytest

from pool_process import run

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts threads in /proc")


def test_callers_at_once_share_the_threads_of_one_pool():
    """Two workers for four callers: whoever finds the pool taken works alone, nothing piles up."""
    assert run(
        """
        callers, rounds = 4, 60
        wrong, most = [], []
        barrier = threading.Barrier(callers)

        def loop():
            barrier.wait()
            for _ in range(rounds):
                if not works():
                    wrong.append(1)
                most.append(count_threads())

        threads = [threading.Thread(target=loop) for _ in range(callers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        deadline = time.monotonic() + 60
        while count_threads() != THREADS and time.monotonic() < deadline:
            time.sleep(0.001)  # a thread that was joined ends a moment later
        print(json.dumps([wrong, max(most) <= callers + THREADS, count_threads()]))
        """
    ) == [[], True, 3]


def test_a_caller_does_not_wait_for_a_pool_that_is_taken():
    """A long call holds the pool, as its workers show; a short one on another thread ends before it."""
    assert run(
        """
        rows = np.ones((1024, 512), np.float32)
        weight = np.ones((4096, 512), np.float32)
        slow = _core.PackedMatrix.from_floats(weight, None, kernel="gemm_f32_scalar_4x16")
        ended = threading.Event()

        def long_call():
            slow.run(rows, np.empty((1024, 4096), np.float32), "")
            ended.set()

        def taken():
            # Start the long call; say whether it was seen to hold the pool.
            global thread
            ended.clear()
            wait(in_child(lambda: True))  # no worker is left from earlier calls
            thread = threading.Thread(target=long_call)
            thread.start()
            while count_threads() < 3 and not ended.is_set():
                time.sleep(0.0005)
            return not ended.is_set()

        while not taken():
            thread.join()
        print(json.dumps([works(), not ended.is_set()]))
        thread.join()
        """,
        # Python warns of a thread that was joined and has not quite ended.
        "-W",
        "ignore::DeprecationWarning",
    ) == [True, True]


def test_work_inside_work_stays_on_its_thread():
    """The groups of a convolution are tasks, and the products in them would like threads of their own."""
    assert run(
        """
        shape = _core.WindowShape((32, 32), (3, 3), (1, 1), (1, 1), (0, 0), (30, 30))
        images = rng.standard_normal((4, 64, 32, 32)).astype(np.float32)
        filters = rng.standard_normal((64, 32, 3, 3)).astype(np.float32)

        def convolve(threads):
            _core.set_num_threads(threads)
            y = np.empty((64, 4, 30, 30), np.float32)
            _core.convolve(images, 0, filters, None, 2, shape, y)
            return y.tobytes()

        print(json.dumps([convolve(3) == convolve(1), count_threads()]))
        """
    ) == [True, 3]


SMALL = {
    "int8 layer": "int8(384, 1536)",
    "int8 layer of four rows": "int8(128, 256, rows=4)",
    "float32 layer": "floats(384, 384)",
    "sparse layer": "sparse(384, 768)",
    "quantize": "lambda: paring.quantize(matrix(64, 128), out=quantized)",
    "prune": "lambda: paring.prune(matrix(64, 128), threshold=0.5, out=pruned)",
}


@pytest.mark.parametrize("name", SMALL)
def test_small_work_wakes_nobody(name):
    """What takes less than a thread's waking is done by the caller, however many threads are allowed."""
    assert (
        run(
            f"""
        import paring
        def matrix(rows, columns):
            return np.random.default_rng(1).standard_normal((rows, columns)).astype(np.float32)
        def layer(form, columns, rows):
            packed, x = paring.PackedLinear(form), matrix(rows, columns)
            return lambda: packed(x)
        def int8(k, n, rows=1):
            return layer(paring.quantize(matrix(n, k)), k, rows)
        def floats(k, n):
            return layer(matrix(n, k), k, 1)
        def sparse(k, n):
            return layer(paring.sparsify(paring.prune(matrix(n, k), sparsity=0.9)), k, 1)
        _core.set_num_threads(1)
        quantized, pruned = paring.quantize(matrix(64, 128)), matrix(64, 128)
        call = {SMALL[name]}
        _core.set_num_threads(8)
        call()
        print(json.dumps(count_threads()))
        """
        )
        == 1
    )
