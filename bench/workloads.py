"""Small fixed work for every kernel, to be counted under valgrind: `instructions.py` starts this file there.

It writes one line of JSON to stdout: "module", the path of the compiled module; "calls" a workload; the names of the
"workloads"; those of the rows of tables that they ran, "kernels". Callgrind is asked for one profile a workload, named
like it; without valgrind the requests do nothing.
"""

from __future__ import annotations

import ctypes
import json
import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain

import ml_dtypes
import numpy as np

import paring
from paring import _core

CALLS = 2
ROWS = (1, 4, 64)
COLUMNS, CHANNELS = 512, 256

# callgrind.h, which is not on every machine: the requests, and the instructions that make one, which a CPU runs
# without effect. The function takes six words and gives the answer.
ZERO, DUMP_AT, START = 0x43540001, 0x43540003, 0x43540004
REQUEST = bytes.fromhex(
    "4889f8"  # mov %rdi,%rax: the words
    "31d2"  # xor %edx,%edx: the answer of a CPU
    "48c1c703 48c1c70d 48c1c73d 48c1c733"  # rol by 3, 13, 61, 51 on %rdi: the preamble
    "4887db"  # xchg %rbx,%rbx: the request
    "4889d0"  # mov %rdx,%rax
    "c3"
)


def make_request() -> Callable[..., None]:
    """Return a function that makes a request of callgrind: ``request(code, text=b"")``."""
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(REQUEST)
    start = ctypes.c_char.from_buffer(page)
    function = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p)(ctypes.addressof(start))

    def request(code: int, text: bytes = b"", page: object = start) -> None:  # the page lives as long
        words = (ctypes.c_uint64 * 6)(code, ctypes.cast(ctypes.c_char_p(text), ctypes.c_void_p).value or 0)
        function(ctypes.addressof(words))

    return request


@dataclass(frozen=True)
class Workload:
    """A call to count, and the rows of tables that it runs."""

    name: str
    kernels: tuple[str, ...]
    call: Callable[[], object]


def row_of(family: str) -> str:
    """Return the name of the row that a family's loops are taken from: the first that can be used."""
    return next(row["name"] for row in _core.loop_kernels() if row["family"] == family and row["usable"])


def layers(weight: np.ndarray) -> Iterator[tuple[str, paring.PackedLinear]]:
    bias = np.ones(CHANNELS, np.float32)
    pruned = paring.prune(weight, sparsity=0.9)
    forms = {
        "float32": weight,
        "int8": paring.quantize(weight),
        "int8 asymmetric": paring.quantize(weight, symmetric=False),
        "int4 in groups of 32": paring.quantize(weight, bits=4, granularity="group"),
        "int4 in groups of 128": paring.quantize(weight, bits=4, granularity="group", group_size=128),
        "float32 CSR": paring.sparsify(pruned),
        "int8 CSR": paring.sparsify(paring.quantize(pruned)),
    }
    for name, form in forms.items():
        yield name, paring.PackedLinear(form, bias)
    yield "int8 and GELU", paring.PackedLinear(forms["int8"], bias, "gelu")
    for name in ("int8", "int4 in groups of 32"):
        yield f"{name}, float32 activations", paring.PackedLinear(forms[name], bias, compute="float32")
    for dtype in (np.float16, ml_dtypes.bfloat16):
        yield np.dtype(dtype).name, paring.PackedLinear(weight.astype(dtype), bias)


def layer_calls(weight: np.ndarray) -> Iterator[Workload]:
    epilogue = row_of("epilogue")
    rng = np.random.default_rng(2)
    for name, layer in layers(weight):
        for rows in ROWS:
            x = rng.standard_normal((rows, COLUMNS), np.float32)
            call = partial(layer, x, np.empty((rows, CHANNELS), np.float32))
            yield Workload(f"{name} M={rows}", (layer.kernel, epilogue), call)


def convolutions(weight: np.ndarray) -> Iterator[Workload]:
    rng = np.random.default_rng(3)
    image = rng.standard_normal((1, 32, 20, 20), np.float32)
    deep, flat = weight.reshape(-1)[: 32 * 32 * 9].reshape(32, 32, 3, 3), weight[:32, :9].reshape(32, 1, 3, 3)
    for name, filters, groups in (("3x3", deep, 1), ("depthwise 3x3", flat, 32)):
        for kind, form in (("float32", filters), ("int8", paring.quantize(filters))):
            layer = paring.PackedConv(form, padding=1, groups=groups)
            call = partial(layer, image, np.empty((1, 32, 20, 20), np.float32))
            yield Workload(f"{kind} convolution, {name}", (layer.kernel, row_of("epilogue")), call)


def passes(weight: np.ndarray) -> Iterator[Workload]:
    """Yield what goes over a weight, or an image, once."""
    out = np.empty_like(weight)
    int8 = paring.quantize(weight)
    int4 = paring.quantize(weight, bits=4, granularity="group")
    pruned = paring.prune(weight, sparsity=0.9)
    image = weight.reshape(1, -1, 32, 32)
    half = _core.WindowShape((32, 32), (2, 2), (2, 2), (1, 1), (0, 0), (16, 16))
    numbers = _core.StepNumbers(rate=1e-3, first_share=0.1, second_share=1e-3, epsilon=1e-8)
    step = ("w", weight.copy(), weight, [np.zeros_like(weight), np.zeros_like(weight)], None, numbers)
    pooled = np.empty((1, image.shape[1], 16, 16), np.float32)
    calls = {
        "quantize int8": ("quantize", partial(paring.quantize, weight, out=int8)),
        "quantize int4 in groups of 32": (
            "quantize",
            partial(paring.quantize, weight, bits=4, granularity="group", out=int4),
        ),
        "dequantize int8": ("quantize", int8.dense),
        "prune by threshold": ("prune", partial(paring.prune, weight, threshold=1.0, out=out)),
        "prune 90 % by magnitude": ("prune", partial(paring.prune, weight, sparsity=0.9, out=out)),
        "prune 2:4": ("prune", partial(paring.prune, weight, structure="2:4", out=out)),
        "dense to CSR, 90 % zeros": ("csr", partial(paring.sparsify, pruned)),
        "differences": ("differences", partial(_core.difference_sums, weight, pruned)),
        "step of Adam": ("optimizers", partial(_core.optimizer_step, "adam", [step])),
        "largest of 2 x 2": ("windows", partial(_core.max_pool, image, 0, half, pooled, None)),
    }
    for name, (family, call) in calls.items():
        yield Workload(name, (row_of(family),), call)


def main() -> None:
    """Run each workload once unseen, then `CALLS` times counted."""
    request = make_request()
    paring.set_num_threads(1)
    weight = np.random.default_rng(1).standard_normal((CHANNELS, COLUMNS), np.float32)
    names: list[str] = []
    kernels: set[str] = set()
    request(START)
    for workload in chain(layer_calls(weight), convolutions(weight), passes(weight)):
        workload.call()
        request(ZERO)
        for _ in range(CALLS):
            workload.call()
        request(DUMP_AT, workload.name.encode())
        names.append(workload.name)
        kernels.update(workload.kernels)
    told = {"module": _core.__file__, "calls": CALLS, "workloads": names, "kernels": sorted(kernels)}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
