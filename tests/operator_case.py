"""What a case of an operator is: the operator, its attributes, and how its inputs are made.

An input is a shape (drawn from a normal distribution), a maker (see `positive`), an array, or None for one left out.
"""

import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    op: str
    inputs: tuple
    attributes: dict = field(default_factory=dict)
    outputs: int = 1
    # torch(torch, *tensors, **attributes) -> a tensor, or a tuple of them; None where PyTorch has nothing like it.
    torch: Any = None
    # What onnx's reference evaluator does otherwise, said in words; empty where it agrees.
    reference_differs: str = ""
    # Whether values are rounded, so that differences say nothing about the gradient.
    rounds: bool = False
    # Whether shapes cannot be told if a size is unknown.
    needs_sizes: bool = False

    def __str__(self):
        inputs = ",".join(describe(spec) for spec in self.inputs)
        attributes = ",".join(f"{name}={value}" for name, value in self.attributes.items())
        return f"{self.op}({inputs};{attributes})".replace(" ", "")

    def arrays(self, dtype=np.float64):
        rng = np.random.default_rng(zlib.crc32(str(self).encode()))
        return [draw(spec, rng, dtype) for spec in self.inputs]


@dataclass(frozen=True)
class Maker:
    shape: tuple
    what: str
    make: Any

    def __str__(self):
        return f"{self.what}{self.shape}"


def describe(spec):
    if isinstance(spec, np.ndarray):
        return f"[{','.join(map(str, spec.reshape(-1).tolist()))}]" if spec.ndim else str(spec.item())
    return str(spec)


def draw(spec, rng, dtype):
    if spec is None:
        return None
    if isinstance(spec, tuple):
        spec = rng.standard_normal(spec)
    elif isinstance(spec, Maker):
        spec = spec.make(rng, spec.shape)
    spec = np.asarray(spec)
    return spec.astype(dtype) if spec.dtype == np.float64 else spec.copy()


def positive(*shape):
    return Maker(shape, "positive", lambda rng, shape: rng.uniform(0.5, 3.0, shape))


def nonzero(*shape):
    return Maker(
        shape, "nonzero", lambda rng, shape: rng.uniform(0.5, 3.0, shape) * rng.choice([-1.0, 1.0], shape)
    )


def wide(*shape):
    """Over all kinks of the activations."""
    return Maker(shape, "wide", lambda rng, shape: rng.uniform(-6.0, 6.0, shape))


def boolean(*shape):
    return Maker(shape, "bool", lambda rng, shape: rng.random(shape) < 0.5)


def small(*shape):
    """Integers with ties."""
    return Maker(shape, "small", lambda rng, shape: rng.integers(-2, 3, shape))


def whole(*numbers):
    return np.array(numbers, np.int64)


def one(number):
    return np.array(number, np.int64)


def adder(cases):
    """Return the function that adds cases to a list."""

    def add_cases(op, torch, *variants, **more):
        """Add a case for each variant: a tuple of inputs, or (inputs, attributes)."""
        for variant in variants:
            inputs, attributes = (
                variant if len(variant) == 2 and isinstance(variant[1], dict) else (variant, {})
            )
            cases.append(Case(op, inputs, attributes, torch=torch, **more))

    return add_cases
