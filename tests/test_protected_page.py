"""The wall behind arrays is real: reading up to it works, reading past it ends the process."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from protected_page import PAGE, ending_at_wall

READ = """
import ctypes, sys
import numpy as np
from protected_page import ending_at_wall
array = ending_at_wall(np.arange(10, dtype=np.uint8))
last = ctypes.c_uint8.from_address(array.ctypes.data + 9).value
print("last", last, flush=True)
print("next", ctypes.c_uint8.from_address(array.ctypes.data + 9 + int(sys.argv[1])).value, flush=True)
"""


def read_beyond(count):
    return subprocess.run(
        [sys.executable, "-c", READ, str(count)],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )


def test_one_byte_too_far_ends_the_process():
    assert read_beyond(0).stdout == "last 9\nnext 9\n"
    beyond = read_beyond(1)
    assert beyond.stdout == "last 9\n"
    assert beyond.returncode != 0


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025])
def test_the_array_is_a_copy_that_ends_at_a_page(size):
    array = np.arange(2 * size, dtype=np.float32)[::2]
    copy = ending_at_wall(array)
    np.testing.assert_array_equal(copy, array)
    assert copy.flags.c_contiguous
    assert copy.flags.writeable
    assert (copy.ctypes.data + copy.nbytes) % PAGE == 0
