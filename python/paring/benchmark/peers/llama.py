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
FLOAT32 = 0
BLOCK = 32
CONTEXT_BYTES = 1 << 20
LIBRARIES = ("libggml-base.so", "libggml-cpu.so", "libggml.so")
Handle = ctypes.c_void_p


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

    return find


class Layer:
    """A graph of one product and one addition, with its weights in memory of ggml's."""

    def __init__(self, problem: LinearProblem, block_type: int, threads: int) -> None:
        find = _libraries()
        m, k, n = problem.shape
        self.shape = (m, n)
        size = ctypes.c_int64
        buffers = [self._repacked(find), Handle(find("ggml_backend_cpu_buffer_type")())]
        for buffer_type in filter(None, buffers):
            context = self._context(find)
            weight = Handle(find("ggml_new_tensor_2d")(context, block_type, size(k), size(n)))
            room = find("ggml_backend_buft_get_alloc_size")
            room.restype = ctypes.c_size_t
            buffer = Handle(
                find("ggml_backend_buft_alloc_buffer")(
                    buffer_type, ctypes.c_size_t(room(buffer_type, weight) + 4096)
                )
            )
            base = Handle(find("ggml_backend_buffer_get_base")(buffer))
            find("ggml_backend_tensor_alloc")(buffer, weight, base)
            break
        bias = Handle(find("ggml_new_tensor_1d")(context, FLOAT32, size(n)))
        plain = Handle(find("ggml_backend_cpu_buffer_type")())
        bias_buffer = Handle(find("ggml_backend_buft_alloc_buffer")(plain, ctypes.c_size_t(4 * n + 4096)))
        find("ggml_backend_tensor_alloc")(
            bias_buffer, bias, Handle(find("ggml_backend_buffer_get_base")(bias_buffer))
        )
        count = find("ggml_nbytes")
        count.restype = ctypes.c_size_t
        codes = np.empty(count(weight), np.uint8)
        find("ggml_quantize_chunk")(
            block_type, problem.weight.ctypes, codes.ctypes, size(0), size(n), size(k), Handle()
        )
        put = find("ggml_backend_tensor_set")
        put(weight, codes.ctypes, ctypes.c_size_t(0), ctypes.c_size_t(codes.nbytes))
        put(bias, problem.bias.ctypes, ctypes.c_size_t(0), ctypes.c_size_t(problem.bias.nbytes))
        graph_context = self._context(find)
        x = Handle(find("ggml_new_tensor_2d")(graph_context, FLOAT32, size(k), size(m)))
        product = Handle(find("ggml_mul_mat")(graph_context, weight, x))
        self.y = Handle(find("ggml_add")(graph_context, product, bias))
        self.graph = Handle(find("ggml_new_graph")(graph_context))
        find("ggml_build_forward_expand")(self.graph, self.y)
        self.backend = Handle(find("ggml_backend_cpu_init")())
        find("ggml_backend_cpu_set_n_threads")(self.backend, threads)
        find("ggml_backend_alloc_ctx_tensors")(graph_context, self.backend)
        put(x, problem.x.ctypes, ctypes.c_size_t(0), ctypes.c_size_t(problem.x.nbytes))
        self.get = find("ggml_backend_tensor_get")
        self.run = partial(find("ggml_backend_graph_compute"), self.backend, self.graph)

    def answer(self) -> Any:
        """Compute once and return the output."""
        self.run()
        result = np.empty(self.shape, np.float32)
        self.get(self.y, result.ctypes, ctypes.c_size_t(0), ctypes.c_size_t(result.nbytes))
        return result

    @staticmethod
    def _context(find: Callable[[str], Any]) -> Any:
        function = find("ggml_init")
        function.argtypes = [Parameters]
        return Handle(function(Parameters(CONTEXT_BYTES, None, True)))

    @staticmethod
    def _repacked(find: Callable[[str], Any]) -> Any:
        """Return the kind of memory in which ggml keeps weights in an order of its own for this CPU, or None."""
        device = Handle(find("ggml_backend_dev_by_type")(0))
        registry = Handle(find("ggml_backend_dev_backend_reg")(device))
        address = find("ggml_backend_reg_get_proc_address")(registry, b"ggml_backend_dev_get_extra_bufts")
        if not address:
            return None
        extra = ctypes.CFUNCTYPE(ctypes.POINTER(Handle), Handle)(address)(device)
        naming = find("ggml_backend_buft_name")
        naming.restype = ctypes.c_char_p
        for kind in extra or ():
            if not kind:
                break
            if b"REPACK" in naming(Handle(kind)):
                return Handle(kind)
        return None
