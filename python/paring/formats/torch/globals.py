"""Every global that a PyTorch file may name, with what it stands for. There are no others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from ..arrays import nbytes
from .pickle_state import Function, Inert, Refusal, Stateful, show
from .values import TENSOR_NAMES

__all__ = ["GLOBALS", "NumpyArray"]

NUMPY_DTYPES = frozenset(
    ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
)


class NumpyDtype(Stateful):
    """``numpy.dtype`` of a number; its state says the byte order."""

    __slots__ = ("dtype",)

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype

    def set_state(self, state: Any) -> None:
        if type(state) is not tuple or len(state) < 2 or state[1] not in ("<", ">", "=", "|"):
            raise Refusal(f"expected the state of a dtype, got {show(state)}")
        self.dtype = self.dtype.newbyteorder(state[1])


class NumpyArray(Stateful):
    """``numpy.ndarray``: nothing until its state brings the values, which lie in the pickle.

    Attributes
    ----------
    content : bytes or None
        None for an array of anything but numbers.
    """

    __slots__ = ("content", "dtype", "order", "shape")

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = ()
        self.dtype: np.dtype[Any] = np.dtype(object)
        self.order: Literal["C", "F"] = "C"
        self.content: bytes | None = None

    @property
    def nbytes(self) -> int:
        return len(self.content or b"")

    def set_state(self, state: Any) -> None:
        """Take ``(version, shape, dtype, is Fortran order, bytes)``."""
        if type(state) is not tuple or len(state) != 5 or type(state[1]) is not tuple:
            raise Refusal(f"expected the state of an array, got {show(state)}")
        _, shape, dtype, fortran, content = state
        if not isinstance(dtype, NumpyDtype) or type(content) is not bytes:
            return
        try:
            expected = nbytes(shape, dtype.dtype)
        except ValueError as error:
            raise Refusal(str(error)) from None
        if expected != len(content):
            raise Refusal(f"expected {expected} bytes for {dtype.dtype} {shape}, got {len(content)}")
        self.shape, self.dtype, self.content = shape, dtype.dtype, content
        self.order = "F" if fortran is True else "C"


def _numpy_dtype(arguments: tuple[Any, ...]) -> NumpyDtype | Inert:
    name = arguments[0] if arguments else None
    return NumpyDtype(np.dtype(name)) if type(name) is str and name in NUMPY_DTYPES else Inert("numpy.dtype")


def _numpy_scalar(arguments: tuple[Any, ...]) -> Any:
    dtype, content = arguments if len(arguments) == 2 else (None, None)
    if isinstance(dtype, NumpyDtype) and type(content) is bytes and len(content) == dtype.dtype.itemsize:
        value = np.frombuffer(content, np.uint8 if dtype.dtype.kind == "b" else dtype.dtype)[0].item()
        return bool(value) if dtype.dtype.kind == "b" else value
    return Inert("a NumPy scalar")


def _encode(arguments: tuple[Any, ...]) -> bytes:
    """How Python 2's protocols write bytes."""
    text = arguments[0] if arguments else None
    if type(text) is not str or arguments[1:] not in (("latin1",), ("latin-1",)):
        raise Refusal("expected a text and 'latin1'")
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise Refusal(f"expected a text of Latin-1, got {show(text)}") from None


def _empty_bytes(arguments: tuple[Any, ...]) -> bytes:
    if arguments:
        raise Refusal(f"expected no arguments, got {len(arguments)}")
    return b""


def _ordered_dict(arguments: tuple[Any, ...]) -> dict[str, Any]:
    """Python 3 calls it with nothing, Python 2 with a list of pairs."""
    result = {}
    for pair in arguments[0] if len(arguments) == 1 and type(arguments[0]) is list else arguments:
        if type(pair) not in (list, tuple) or len(pair) != 2 or type(pair[0]) is not str:
            raise Refusal("expected nothing, or a list of pairs of a text and a value")
        result[pair[0]] = pair[1]
    return result


def _tuple(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(arguments) != 1 or type(arguments[0]) not in (tuple, list):
        raise Refusal(f"expected one tuple, got {len(arguments)} arguments")
    return tuple(arguments[0])


def _inert(name: str) -> Callable[[tuple[Any, ...]], Inert]:
    value = Inert(name)
    return lambda arguments: value


def _with_functions(calls: dict[str, Callable[[tuple[Any, ...]], Any]]) -> dict[str, Any]:
    return {name: Function(name, call) for name, call in calls.items()}


OF_PYTHON = ("set", "frozenset", "bytearray", "complex", "slice")
QUANTIZATION_SCHEMES = (
    "per_tensor_affine",
    "per_tensor_symmetric",
    "per_channel_affine",
    "per_channel_symmetric",
    "per_channel_affine_float_qparams",
)

GLOBALS: dict[str, Any] = {
    **TENSOR_NAMES,
    **_with_functions(
        {
            "collections.OrderedDict": _ordered_dict,
            "collections.Counter": _inert("a Counter"),
            "torch.Size": _tuple,
            "torch.device": _inert("a device"),
            "torch.serialization._get_layout": _inert("a layout"),
            "_codecs.encode": _encode,
            "builtins.bytes": _empty_bytes,
            "__builtin__.bytes": _empty_bytes,
            "numpy.dtype": _numpy_dtype,
            **{
                f"{module}.multiarray.{name}": call
                for module in ("numpy.core", "numpy._core")
                for name, call in (
                    ("scalar", _numpy_scalar),
                    ("_reconstruct", lambda arguments: NumpyArray()),
                )
            },
            **{f"{m}.{name}": _inert(f"a {name}") for m in ("builtins", "__builtin__") for name in OF_PYTHON},
        }
    ),
    **{f"torch.{name}": Inert(name) for name in QUANTIZATION_SCHEMES},
    **{
        name: Inert(name)
        for name in (
            "torch.Tensor",
            "torch._tensor.Tensor",
            "torch.nn.parameter.Parameter",
            "numpy.ndarray",
            "builtins.Ellipsis",
            "__builtin__.Ellipsis",
        )
    },
}
"""Name -> a `Function`, or the value itself. None of them is the thing it is called after."""
