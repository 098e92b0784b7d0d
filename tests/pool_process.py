"""A fresh interpreter whose only threads are ours, for tests of the pool.

NumPy's threads are kept out by OPENBLAS_NUM_THREADS=1 and the like, so that counts in /proc mean something and nobody
else's threads make fork warn.
"""

import json
import os
import subprocess
import sys
import textwrap

# A layer large enough to be worth several threads, its answer by one thread, a child that must exit with 0.
SETUP = """
import json, os, signal, sys, threading, time
import numpy as np
from paring import _core

THREADS = 3
rng = np.random.default_rng(5)
weight = rng.standard_normal((512, 512)).astype(np.float32)
x = rng.standard_normal((256, 512)).astype(np.float32)
layer = _core.PackedMatrix.from_floats(weight, None)

def answer():
    out = np.full((256, 512), np.nan, np.float32)
    layer.run(x, out, "")
    return out.tobytes()

_core.set_num_threads(1)
expected = answer()
_core.set_num_threads(THREADS)

def count_threads():
    return len(os.listdir("/proc/self/task"))

def in_child(work):
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # a child that hangs is killed, which is no exit status 0
        try:
            os._exit(0 if work() else 1)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(2)
    return child

def wait(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def works():
    return answer() == expected
"""


def run(code, *options):
    """Run code after SETUP in a fresh interpreter and return the value it prints as JSON."""
    quiet = dict.fromkeys(
        ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"), "1"
    )
    result = subprocess.run(
        [sys.executable, *options, "-c", SETUP + textwrap.dedent(code)],
        env=os.environ | quiet,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=240,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return json.loads(result.stdout)
