"""The pool and fork: children of a process that used it can use it too, and nothing hangs.

Every test runs in a fresh interpreter (pool_process.py).
"""

import sys

import pytest

from pool_process import run

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="needs fork, and counts threads in /proc"
)


def test_threads_start_at_the_first_use_and_not_before():
    assert run(
        """
        before = count_threads()
        assert works()
        print(json.dumps([before, count_threads()]))
        """
    ) == [1, 3]


def test_children_use_the_pool_and_so_does_the_parent_after():
    assert run(
        """
        assert works()
        children = [in_child(works) for _ in range(8)]
        codes = [wait(child) for child in children]
        print(json.dumps([codes, works(), count_threads()]))
        """
    ) == [[0] * 8, True, 3]


def test_threads_are_joined_before_the_fork_on_both_sides():
    """They come back at the next use; a process that never uses the pool again has none."""
    assert run(
        """
        assert works()
        with_pool = count_threads()
        child = in_child(lambda: count_threads() == 1)
        print(json.dumps([with_pool, count_threads(), wait(child)]))
        """
    ) == [3, 1, 0]


def test_the_child_starts_threads_of_its_own():
    assert (
        run(
            """
        assert works()
        print(json.dumps(wait(in_child(lambda: works() and count_threads() == THREADS))))
        """
        )
        == 0
    )


def test_a_fork_without_earlier_use():
    assert run("print(json.dumps([wait(in_child(works)), works()]))") == [0, True]


def test_children_fork_again():
    assert run(
        """
        assert works()
        def with_grandchild():
            return works() and wait(in_child(works)) == 0 and works()
        print(json.dumps([wait(in_child(with_grandchild)), works()]))
        """
    ) == [0, True]


def test_fork_while_another_thread_works():
    """The fork waits for the job under way; the child starts with a pool at rest."""
    assert run(
        """
        stop = threading.Event()
        wrong = []
        rounds = 0
        def loop():
            global rounds
            while not stop.is_set():
                if not works():
                    wrong.append(rounds)
                rounds += 1
        thread = threading.Thread(target=loop)
        thread.start()
        while rounds == 0:
            time.sleep(0.001)
        codes = [wait(in_child(works)) for _ in range(20)]
        seen = rounds
        while rounds == seen:
            time.sleep(0.001)
        stop.set()
        thread.join()
        print(json.dumps([codes, wrong]))
        """,
        # Python warns of the other thread, rightly: it is ours.
        "-W",
        "ignore::DeprecationWarning",
    ) == [[0] * 20, []]


def test_fork_while_several_threads_work():
    assert run(
        """
        stop = threading.Event()
        rounds = [0] * 4
        wrong = []
        def loop(index):
            while not stop.is_set():
                if not works():
                    wrong.append(index)
                rounds[index] += 1
        workers = [threading.Thread(target=loop, args=(index,)) for index in range(4)]
        for worker in workers:
            worker.start()
        while min(rounds) == 0:
            time.sleep(0.001)
        codes = [wait(in_child(works)) for _ in range(10)]
        stop.set()
        for worker in workers:
            worker.join()
        print(json.dumps([codes, wrong, works()]))
        """,
        "-W",
        "ignore::DeprecationWarning",
    ) == [[0] * 10, [], True]


def test_multiprocessing_with_fork():
    assert run(
        """
        import multiprocessing
        def job(_):
            return works()
        assert works()
        with multiprocessing.get_context("fork").Pool(2) as pool:
            answers = pool.map(job, range(6))
        print(json.dumps([answers, works()]))
        """,
        "-W",
        "ignore::DeprecationWarning",  # a multiprocessing pool has threads of its own
    ) == [[True] * 6, True]


def test_python_does_not_warn_of_our_threads():
    """From 3.12 on it counts the threads after a fork, when ours are gone."""
    assert run("assert works()\nprint(json.dumps(wait(in_child(works))))", "-W", "error") == 0


def test_a_hanging_child_would_be_seen():
    assert (
        run(
            """
        def hang():
            signal.alarm(1)
            time.sleep(30)
            return True
        print(json.dumps(wait(in_child(hang))))
        """
        )
        == -14
    )
