"""Arrays that end exactly where the process may not read: one byte too far is a crash, in release builds too."""

import ctypes
import mmap

import numpy as np

PAGE = mmap.PAGESIZE
PROT_NONE = 0
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def ending_at_wall(array):
    """Return a C-contiguous copy of ``array`` whose last byte is the last byte before an unreadable page.

    The start is aligned to the item size only.
    """
    array = np.ascontiguousarray(array)
    pages = -(-array.nbytes // PAGE) or 1
    memory = mmap.mmap(-1, (pages + 1) * PAGE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    if _libc.mprotect(address + pages * PAGE, PAGE, PROT_NONE) != 0:
        raise OSError(ctypes.get_errno(), "mprotect")
    copy = np.frombuffer(memory, array.dtype, array.size, pages * PAGE - array.nbytes).reshape(array.shape)
    copy[...] = array
    return copy
