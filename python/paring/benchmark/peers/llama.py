"""The matrix multiply of llama.cpp (ggml), through the shared libraries that llama-cpp-python carries."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ..linear_problem import LinearProblem
from .peer import Bound, explain_missing, version_of

__all__ = ["GgmlPeer"]

TYPES = {"q4_0": 2, "q8_0": 8}  # of ggml
FLOAT32, CPU = 0, 0
ALIGNMENT = 4096
BLOCK = 32
CONTEXT_BYTES = 1 << 20
LIBRARIES = ("libggml-base.so", "libggml-cpu.so", "libggml.so")
Handle = ctypes.c_void_p


LOG = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, Handle)(lambda level, text, data: None)
"""Keeps what ggml says of its layouts out of the answer."""


class Parameters(ctypes.Structure):
    """What ggml_init takes."""

    _fields_ = (("size", ctypes.c_size_t), ("buffer", Handle), ("no_allocation", ctypes.c_bool))


class GgmlPeer:
    """One of ggml's block types: groups of 32 with a float16 scale, activations in the same groups."""

    def __init__(self, block_type: str) -> None:
        self.block_type = block_type

    @property
    def name(self) -> str:
        """The library and the block type."""
        return f"llama.cpp {self.block_type}"

    def missing(self) -> str | None:
        """Return what would have to be installed, or None."""
        return explain_missing("llama_cpp")

    def bind(self, problem: LinearProblem, threads: int, copies: int) -> Bound:
        """Return the problem's layer, packed `copies` times, in ggml's order for this CPU where it has one."""
        if problem.shape.k % BLOCK:
            raise ValueError(f"{self.block_type}: expected K in blocks of {BLOCK}, got {problem.shape.k}")
        if problem.bits == 4 and problem.group_size != BLOCK:
            raise ValueError(f"{self.block_type}: has groups of {BLOCK} only")
        layers = [Layer(problem, TYPES[self.block_type], threads) for _ in range(copies)]
        calls = [layer.run for layer in layers]
        return Bound(self.name, version_of("llama-cpp-python"), calls, layers[0].answer, lingers=threads > 1)


def _libraries() -> Callable[[str], Any]:
    """Return a function that finds ggml's functions by name."""
    spec = find_spec("llama_cpp")
    assert spec is not None and spec.origin is not None
    folder = Path(spec.origin).parent / "lib"
    loaded = [ctypes.CDLL(str(folder / name), ctypes.RTLD_GLOBAL) for name in LIBRARIES]

    def find(name: str) -> Any:
        for library in loaded:
            if hasattr(library, name):
                function = getattr(library, name)
                function.restype = Handle
                return function
        raise RuntimeError(f"this ggml has no {name}")

    find("ggml_log_set")(LOG, Handle())
    return find


class Layer:
    """A graph of one product and one addition, with its weights in memory of ggml's."""

    def __init__(self, problem: LinearProblem, block_type: int, threads: int) -> None:
        self.find = find = _libraries()
        m, k, n = problem.shape
        self.shape = (m, n)
        size = ctypes.c_int64
        context = self._context()
        x = Handle(find("ggml_new_tensor_2d")(context, FLOAT32, size(k), size(m)))
        device = Handle(find("ggml_backend_dev_by_type")(CPU))
        plain = Handle(find("ggml_backend_cpu_buffer_type")())
        for memory in filter(None, (self._repacked(device), plain)):
            weights = self._context()
            weight = Handle(find("ggml_new_tensor_2d")(weights, block_type, size(k), size(n)))
            self._place(weight, memory)
            product = Handle(find("ggml_mul_mat")(context, weight, x))
            supports = find("ggml_backend_dev_supports_op")
            supports.restype = ctypes.c_bool
            if supports(device, product):
                break
        bias = Handle(find("ggml_new_tensor_1d")(weights, FLOAT32, size(n)))
        self._place(bias, plain)
        codes = np.empty(self._bytes("ggml_nbytes", weight), np.uint8)
        find("ggml_quantize_chunk")(
            block_type, problem.weight.ctypes, codes.ctypes, size(0), size(n), size(k), Handle()
        )
        self._put(weight, codes)
        self._put(bias, problem.bias)
        self.y = Handle(find("ggml_add")(context, product, bias))
        graph = Handle(find("ggml_new_graph")(context))
        find("ggml_build_forward_expand")(graph, self.y)
        backend = Handle(find("ggml_backend_cpu_init")())
        find("ggml_backend_cpu_set_n_threads")(backend, threads)
        find("ggml_backend_alloc_ctx_tensors")(context, backend)
        self._put(x, problem.x)
        self.run = partial(find("ggml_backend_graph_compute"), backend, graph)

    def _context(self) -> Any:
        function = self.find("ggml_init")
        function.argtypes = [Parameters]
        return Handle(function(Parameters(CONTEXT_BYTES, None, True)))

    def _bytes(self, name: str, *arguments: Any) -> int:
        function = self.find(name)
        function.restype = ctypes.c_size_t
        count: int = function(*arguments)
        return count

    def _place(self, tensor: Any, memory: Any) -> None:
        """Give a tensor memory of this kind."""
        count = self._bytes("ggml_backend_buft_get_alloc_size", memory, tensor) + ALIGNMENT
        buffer = Handle(self.find("ggml_backend_buft_alloc_buffer")(memory, ctypes.c_size_t(count)))
        start = Handle(self.find("ggml_backend_buffer_get_base")(buffer))
        self.find("ggml_backend_tensor_alloc")(buffer, tensor, start)

    def _put(self, tensor: Any, array: Any) -> None:
        zero, count = ctypes.c_size_t(0), ctypes.c_size_t(array.nbytes)
        self.find("ggml_backend_tensor_set")(tensor, array.ctypes, zero, count)

    def answer(self) -> Any:
        """Compute once and return the output."""
        self.run()
        result = np.empty(self.shape, np.float32)
        zero, count = ctypes.c_size_t(0), ctypes.c_size_t(result.nbytes)
        self.find("ggml_backend_tensor_get")(self.y, result.ctypes, zero, count)
        return result

    def _repacked(self, device: Any) -> Any:
        """Return the kind of memory in which ggml keeps weights in an order of its own for this CPU, or None."""
        registry = Handle(self.find("ggml_backend_dev_backend_reg")(device))
        address = self.find("ggml_backend_reg_get_proc_address")(
            registry, b"ggml_backend_dev_get_extra_bufts"
        )
        if not address:
            return None
        extra = ctypes.CFUNCTYPE(ctypes.POINTER(Handle), Handle)(address)(device)
        naming = self.find("ggml_backend_buft_name")
        naming.restype = ctypes.c_char_p
        for kind in extra or ():
            if not kind:
                break
            if b"REPACK" in naming(Handle(kind)):
                return Handle(kind)
        return None
