"""A small real model and digits it was not trained on: what ``paring demo`` works on, without a network.

`model_path` is the file of a perceptron 784-96-48-10 with PyTorch's names and layout, and `load_digits` gives
1,000 MNIST images. README.md in this folder says where both come from, and under which licences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "LAYERS",
    "load_digits",
    "make_layers",
    "make_numpy_layer",
    "measure_accuracy",
    "model_path",
    "run_layers",
]

Layer = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]

# Name and activation of every layer, in order; tensors are `<name>.weight` (out, in), `<name>.bias` (out,).
LAYERS: tuple[tuple[str, str | None], ...] = (("fc1", "relu"), ("fc2", "relu"), ("fc3", None))


def _data_path(name: str) -> Path:
    return Path(str(files(__name__).joinpath(name)))


def model_path() -> Path:
    """Return the path of the trained model, a ``.safetensors`` file of six ``float32`` tensors.

    Examples
    --------
    >>> model_path().name
    'digits_mlp.safetensors'
    """
    return _data_path("digits_mlp.safetensors")


def load_digits() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Return the 1,000 test images and their labels, 100 of every digit, in random order.

    Returns
    -------
    images : ndarray
        ``float32 (1000, 784)``: pixel / 255, row by row, as the model was trained.
    labels : ndarray
        ``uint8 (1000,)``: 0 to 9.

    Examples
    --------
    >>> images, labels = load_digits()
    >>> images.shape, images.dtype, int(images.max()), labels.shape
    ((1000, 784), dtype('float32'), 1, (1000,))
    """
    with np.load(_data_path("digits_test.npz"), allow_pickle=False) as arrays:
        pixels, labels = arrays["images"], arrays["labels"]
    return pixels.reshape(len(pixels), -1).astype(np.float32) / np.float32(255), labels


def make_numpy_layer(weight: npt.ArrayLike, bias: npt.ArrayLike, activation: str | None = None) -> Layer:
    """Return ``x -> activation(x @ weight.T + bias)`` in NumPy, to compare with.

    Parameters
    ----------
    weight : array_like
        ``(out_features, in_features)``.
    bias : array_like
        ``(out_features,)``.
    activation : {"relu", None}

    Raises
    ------
    ValueError
        If the shapes do not fit or the activation is another one.

    Examples
    --------
    >>> layer = make_numpy_layer(np.float32([[1, 2], [0, -1]]), np.float32([0, 1]), "relu")
    >>> layer(np.float32([[1, 3]]))
    array([[7., 0.]], dtype=float32)
    """
    matrix, offset = np.asarray(weight), np.asarray(bias)
    if matrix.ndim != 2 or offset.shape != matrix.shape[:1]:
        raise ValueError(
            f"weight and bias: expected (out_features, in_features) and (out_features,), "
            f"got {matrix.shape} and {offset.shape}"
        )
    if activation not in ("relu", None):
        raise ValueError(f"activation: expected 'relu' or None, got {activation!r}")

    def apply(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        y: npt.NDArray[np.float32] = x @ matrix.T + offset
        return np.maximum(y, np.float32(0)) if activation == "relu" else y

    return apply


def make_layers(
    weights: Mapping[str, Any], make_layer: Callable[[Any, Any, str | None], Layer] = make_numpy_layer
) -> list[Layer]:
    """Return the model's layers in order, each made by ``make_layer(weight, bias, activation)``.

    Parameters
    ----------
    weights : mapping
        Has ``<name>.weight`` and ``<name>.bias`` for every name in `LAYERS`, in a form ``make_layer`` takes.
    make_layer : callable
        `make_numpy_layer`, or `paring.PackedLinear` for every form of weight that it takes.

    Raises
    ------
    ValueError
        If a tensor is missing; the message names all that are.

    Examples
    --------
    >>> names = [f"{name}.{part}" for name, _ in LAYERS for part in ("weight", "bias")]
    >>> make_layers(dict.fromkeys(names, 0), lambda weight, bias, activation: activation)
    ['relu', 'relu', None]
    """
    missing = [
        f"{name}.{part}"
        for name, _ in LAYERS
        for part in ("weight", "bias")
        if f"{name}.{part}" not in weights
    ]
    if missing:
        raise ValueError(f"weights: expected every tensor of the demo model, missing {', '.join(missing)}")
    return [make_layer(weights[f"{name}.weight"], weights[f"{name}.bias"], act) for name, act in LAYERS]


def run_layers(x: npt.NDArray[np.float32], layers: Iterable[Layer]) -> npt.NDArray[np.float32]:
    """Return ``x`` after every layer in turn: for the model, images ``(n, 784)`` to logits ``(n, 10)``.

    Examples
    --------
    >>> run_layers(np.float32([1, 2]), [np.negative, np.exp]).round(2)
    array([0.37, 0.14], dtype=float32)
    """
    for layer in layers:
        x = layer(x)
    return x


def measure_accuracy(logits: npt.NDArray[Any], labels: npt.NDArray[Any]) -> float:
    """Return the share of rows of ``logits`` ``(n, classes)`` whose largest value stands at the label.

    Raises
    ------
    ValueError
        If there are no rows, or not one label a row.

    Examples
    --------
    >>> measure_accuracy(np.float32([[1, 2], [3, 0]]), np.array([1, 1]))
    0.5
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or not logits.size:
        raise ValueError(
            f"logits and labels: expected (n, classes) and (n,) with n of at least 1, "
            f"got {logits.shape} and {labels.shape}"
        )
    return float((logits.argmax(axis=1) == labels).mean())
