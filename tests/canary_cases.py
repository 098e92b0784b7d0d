"""Every way to compress and every way to write, over arrays that lie among bytes which are none of theirs.

Run as a program, it writes all files into a folder and prints their digests: the same whatever fills new memory.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np

import paring
from protected_page import ending_at_wall

SHAPE = (20, 64)
CANARIES = (b"\xca\x4a\x8f\xc1\x13\x37\xbe\xef", b"\x3b\xd9\x61\x5e\xf0\x0d\x42\x99")
BLOCKS = {"granularity": "group", "group_size": 32}


def values(dtype=np.float32):
    """Weights of a shape and size that leave the last vector of a kernel part empty."""
    array = np.random.default_rng(7).standard_normal(SHAPE).astype(dtype)
    array[2] = 0
    return array


def filled(count, canary):
    """Memory full of a canary."""
    return np.frombuffer(bytearray(canary * (-(-count // len(canary)))), np.uint8)[:count]


def inside(array, canary, before=64, after=200):
    """A copy of an array in the middle of a canary."""
    memory = filled(before + array.nbytes + after, canary)
    place = memory[before : before + array.nbytes].view(array.dtype).reshape(array.shape)
    place[...] = array
    return place


def every_other(array, canary, axis):
    """A view that skips every other row or column of a larger array: what it skips is canary."""
    shape = tuple(2 * size if at == axis else size for at, size in enumerate(array.shape))
    memory = filled(int(np.prod(shape)) * array.itemsize, canary).view(array.dtype).reshape(shape)
    place = memory[:, ::2] if axis else memory[::2]
    place[...] = array
    return place


LAYOUTS = {
    "contiguous": inside,
    "misaligned": lambda array, canary: inside(array, canary, before=61),
    "at-the-start": lambda array, canary: inside(array, canary, before=0),
    "other-rows": lambda array, canary: every_other(array, canary, 0),
    "other-columns": lambda array, canary: every_other(array, canary, 1),
    "transposed": lambda array, canary: inside(np.ascontiguousarray(array.T), canary).T,
    "backwards": lambda array, canary: inside(np.ascontiguousarray(array[::-1, ::-1]), canary)[::-1, ::-1],
    "big-endian": lambda array, canary: inside(array.astype(array.dtype.newbyteorder(">")), canary),
    "before-a-wall": lambda array, canary: ending_at_wall(array),
}

FORMS = {
    "untouched": lambda w: w,
    "pruned": lambda w: paring.prune(w, sparsity=0.5),
    "csr": lambda w: paring.sparsify(paring.prune(w, sparsity=0.7)),
    "csr-int8": lambda w: paring.sparsify(paring.quantize(paring.prune(w, sparsity=0.7))),
    "csr-of-columns": lambda w: paring.sparsify(w, axis=1),
    **{
        f"int{bits}-{granularity}{'' if symmetric else '-asymmetric'}": (
            lambda w, bits=bits, granularity=granularity, symmetric=symmetric: paring.quantize(
                w, bits, granularity, 24, symmetric
            )
        )
        for bits in (8, 4, 3)
        for granularity in ("tensor", "channel", "group")
        for symmetric in (True, False)
    },
    "int4-of-columns": lambda w: paring.quantize(w, 4, axis=1),
    "int4-compressed-tensors": lambda w: paring.quantize(w, 4, convention="compressed-tensors", **BLOCKS),
    "gguf-8": lambda w: paring.quantize(w, 8, convention="gguf", **BLOCKS),
    "gguf-4": lambda w: paring.quantize(w, 4, convention="gguf", **BLOCKS),
}


def suffixes(form):
    """The formats that can hold a form."""
    plain = form in ("untouched", "pruned")
    return (
        ".safetensors",
        ".npz",
        *((".npy",) if plain else ()),
        *((".gguf",) if plain or form.startswith("gguf") else ()),
    )


def write_source(path, canary, dtype=np.float32):
    """A file whose one real tensor lies between others that are full of canary."""
    neighbour = filled(1000, canary)
    between = {"a.before": neighbour, "b.weight": values(dtype), "c.after": neighbour}
    paring.write(path, between)
    return path


def write_everything(folder):
    """Write every form of every dtype in every format, and yield the paths."""
    for dtype in (np.float32, np.float16, np.float64):
        for form, compress in FORMS.items():
            for suffix in suffixes(form):
                path = folder / f"{form}-{np.dtype(dtype).name}{suffix}"
                paring.write(path, {"b.weight": compress(values(dtype))})
                yield path
    source = write_source(folder / "source.safetensors", CANARIES[0])
    for preset in ("int8", "int4"):
        for suffix in (".safetensors", ".npz"):
            path = folder / f"file-{preset}{suffix}"
            paring.compress_file(source, path, preset)
            yield path


if __name__ == "__main__":
    for written in write_everything(Path(sys.argv[1])):
        print(hashlib.sha256(written.read_bytes()).hexdigest(), written.name)
