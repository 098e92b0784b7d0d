"""Quantization: weights as integer codes and the scales that give them their meaning."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from .. import _core
from ..weights import Granularity, QuantizedWeight, Weight, packed_row_bytes
from .floats import as_float32, check_floats, explain_not_finite
from .gguf_convention import quantize_blocks
from .holders import change_matrices, holds_weights
from .outputs import check_out
from .quantize_settings import Convention, QuantizeSettings, check_axis

__all__ = ["quantize", "quantize_named"]

BLOCK = 1 << 22  # elements copied at a time


@overload
def quantize(
    w: npt.NDArray[Any],
    bits: int = 8,
    granularity: Granularity = "channel",
    group_size: int = 32,
    symmetric: bool = True,
    axis: int | None = None,
    convention: Convention = "paring",
    *,
    out: QuantizedWeight | None = None,
) -> QuantizedWeight: ...
@overload
def quantize(
    w: Mapping[str, Any],
    bits: int = 8,
    granularity: Granularity = "channel",
    group_size: int = 32,
    symmetric: bool = True,
    axis: int | None = None,
    convention: Convention = "paring",
) -> dict[str, Weight]: ...
@overload
def quantize(
    w: Any,
    bits: int = 8,
    granularity: Granularity = "channel",
    group_size: int = 32,
    symmetric: bool = True,
    axis: int | None = None,
    convention: Convention = "paring",
) -> Any: ...
def quantize(
    w: Any,
    bits: int = 8,
    granularity: Granularity = "channel",
    group_size: int = 32,
    symmetric: bool = True,
    axis: int | None = None,
    convention: Convention = "paring",
    *,
    out: QuantizedWeight | None = None,
) -> Any:
    """Round weights to integer codes of 2 to 8 bits: ``w ~ (code - zero_point) * scale``.

    Codes are ``w / scale`` (a float32 division) rounded half to even, so a weight is off by half a scale at
    most. The answer does not depend on the CPU or on the number of threads.

    Parameters
    ----------
    w : ndarray, mapping of str to ndarray, or model
        float16, bfloat16, float32 or float64 (rounded to float32 first), of any byte order and layout. Of a mapping, a
        `paring.nn.Model`, or anything with ``state_dict()`` (PyTorch) or ``get_weights()`` (Keras), the float arrays of
        two axes or more, whatever their size (`compress` picks and reports).
    bits : int
        2 to 8. There are kernels to run 4 and 8; the others are for storage.
    granularity : {"tensor", "channel", "group"}
        What shares a scale: everything, an output channel, or `group_size` neighbours in a channel. An array
        of fewer than two axes takes "tensor".
    group_size : int
        For granularity "group" only. The last group of a channel may be shorter.
    symmetric : bool
        Zero points are all 0. Otherwise the whole range of codes spans from the least to the greatest weight,
        both sides widened to 0, which stays exact: fewer bits lost where the weights lie to one side.
    axis : int, optional
        Which axis of `w` holds the output channels; groups run along all the others, flattened. 0 for PyTorch, -1 for
        Keras: by default -1 for what has ``get_weights()``, else 0. With an axis other than the first, `w` is copied
        to bring it there.
    convention : {"paring", "compressed-tensors", "gguf"}
        "paring": symmetric 8 bits use -127..127 with scale = max|w| / 127. Symmetric fewer bits use all
        codes, -8..7 for 4, with scale = (the weight of largest magnitude, with its sign) / -8, as GGUF's
        Q4_0 does. "compressed-tensors": the formulas of that library: max|w| / 127.5 and / 7.5, all codes,
        scales of at least 2**-23. "gguf": the formulas of Q8_0 and Q4_0 as GGUF files hold them, for 8 or 4
        bits, symmetric, granularity "group", group_size 32; scales are float16, and weights beyond them a
        ValueError. (Such a file wants a last axis that is a multiple of 32.)
    out : QuantizedWeight, optional
        A result of the same description, whose arrays are overwritten: no memory is asked for. After an error
        they hold anything.

    Returns
    -------
    QuantizedWeight, or what was given with its matrices quantized
        For a mapping or what has ``state_dict()`` a dict; for a `paring.nn.Model` a model; for what has
        ``get_weights()`` a list of arrays rounded to the codes, for its ``set_weights()``. Otherwise `out`, or a new
        one. A channel or group of zeros, or of weights so small that its scale would be no normal float32, has scale 1
        and codes that mean 0; by convention "gguf" a scale of 0 or -0.

    Raises
    ------
    TypeError
        If `w` is anything but a float array (also if it is compressed already), or an argument of a wrong
        type.
    ValueError
        If an argument is out of its range, a weight is NaN, infinite or beyond float32 (the message says
        where), or `out` does not fit.

    Examples
    --------
    >>> import numpy as np, paring
    >>> w = np.array([[0.5, -1.0, 0.3], [4.0, 1.0, 3.0]], np.float32)
    >>> q = paring.quantize(w, bits=4)
    >>> q.codes()
    array([[ 4, -8,  2],
           [-8, -2, -6]], dtype=int8)
    >>> q.scale.ravel()
    array([ 0.125, -0.5  ], dtype=float32)
    >>> q.dense()
    array([[ 0.5 , -1.  ,  0.25],
           [ 4.  ,  1.  ,  3.  ]], dtype=float32)
    """
    settings = QuantizeSettings(bits, granularity, group_size, symmetric, convention)
    if isinstance(w, Mapping) or (holds_weights(w) and not isinstance(w, np.ndarray)):
        if out is not None:
            raise TypeError(
                f"out: expected none for a {type(w).__name__}, whose weights come back as they do"
            )
        return _quantize_all(w, settings, axis)
    return quantize_named(w, settings, 0 if axis is None else axis, "w", out)


def _quantize_all(w: Any, settings: QuantizeSettings, axis: int | None) -> Any:
    def change(matrices: dict[str, Any], own_axis: int) -> dict[str, QuantizedWeight]:
        chosen = own_axis if axis is None else axis
        return {
            name: quantize_named(weight, settings, chosen, repr(name)) for name, weight in matrices.items()
        }

    return change_matrices(w, change)


def empty_weight(shape: tuple[int, ...], settings: QuantizeSettings, axis: int) -> QuantizedWeight:
    """Return a quantized weight whose arrays are not set yet."""
    channels = shape[axis] if shape else 1
    columns = math.prod(n for i, n in enumerate(shape) if i != axis)
    groups = {
        "tensor": (1, 1),
        "channel": (channels, 1),
        "group": (channels, math.ceil(columns / settings.group_size)),
    }[settings.granularity]
    return QuantizedWeight(
        data=np.empty(
            (channels, packed_row_bytes(columns, settings.bits)), np.int8 if settings.bits == 8 else np.uint8
        ),
        scale=np.empty(groups, np.float32),
        zero_point=None if settings.symmetric else np.empty(groups, np.int8),
        shape=shape,
        bits=settings.bits,
        granularity=settings.granularity,
        group_size=settings.group_size if settings.granularity == "group" else None,
        axis=axis,
    )


def quantize_named(
    w: npt.NDArray[Any], settings: QuantizeSettings, axis: int, label: str, out: QuantizedWeight | None = None
) -> QuantizedWeight:
    """Do what `quantize` does; messages speak of the weight as `label`."""
    array = check_floats(w, label)
    axis = check_axis(axis, array.ndim, label)
    if array.ndim < 2 and settings.granularity != "tensor":
        raise ValueError(
            f"{label}: granularity {settings.granularity!r}: expected two or more axes, got shape "
            f"{array.shape}; use granularity 'tensor'"
        )
    if out is None:
        out = empty_weight(array.shape, settings, axis)
    else:
        _check_quantized_out(out, array, settings, axis, label)
    channels_first = np.moveaxis(array, axis, 0) if array.ndim else array.reshape(1)
    per_tensor = settings.granularity == "tensor"
    # What is no float32 matrix as it lies is copied to one, some channels at a time where they do not share a scale.
    step = out.channels if per_tensor or _is_matrix(channels_first) else max(1, BLOCK // max(out.columns, 1))
    try:
        for start in range(0, max(out.channels, 1), max(step, 1)):
            rows = slice(start, min(start + step, out.channels))
            scales = slice(None) if per_tensor else rows
            matrix = as_float32(channels_first[rows]).reshape(rows.stop - start, out.columns)
            if settings.convention == "gguf":
                quantize_blocks(matrix, settings.bits, out.data[rows], out.scale[rows], label, start)
                continue
            _core.quantize(
                matrix,
                settings.bits,
                per_tensor,
                out.kernel_group_size,
                settings.symmetric,
                settings.convention,
                out.data[rows],
                out.scale[scales],
                None if out.zero_point is None else out.zero_point[scales],
            )
    except ValueError as error:
        raise explain_not_finite(array, label, float32=True) or error from None
    return out


def _is_matrix(array: npt.NDArray[Any]) -> bool:
    """Whether kernels can read an array in place."""
    flags = array.flags
    return array.dtype.str == np.dtype(np.float32).str and flags.c_contiguous and flags.aligned


def _check_quantized_out(
    out: object, w: npt.NDArray[Any], settings: QuantizeSettings, axis: int, label: str
) -> None:
    if not isinstance(out, QuantizedWeight):
        raise TypeError(f"out: expected a QuantizedWeight, got {type(out).__name__}")
    group_size = settings.group_size if settings.granularity == "group" else None
    for name, expected, got in (
        ("shape", w.shape, out.shape),
        ("bits", settings.bits, out.bits),
        ("granularity", settings.granularity, out.granularity),
        ("group_size", group_size, out.group_size),
        ("symmetric", settings.symmetric, out.symmetric),
        ("axis", axis, out.axis),
    ):
        if expected != got:
            raise ValueError(f"out: expected {name} {expected}, got {got}")
    for name in ("data", "scale", "zero_point"):
        part = getattr(out, name)
        if part is not None:
            check_out(part, f"out.{name}", part.dtype, part.shape)
            if np.shares_memory(part, w):
                raise ValueError(f"out.{name}: overlaps {label}")
