"""What is measured: NumPy's own way, ours, and a check that they agree, made before anything is timed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

import paring

SHAPES = (
    (1, 384, 1536),
    (16, 384, 1536),
    (64, 768, 3072),
    (256, 768, 3072),
    (1, 4096, 4096),
    (256, 4096, 4096),
)
SPARSE_SHAPES = ((1, 768, 3072), (64, 768, 3072), (64, 4096, 4096))
WEIGHT_SHAPE = (4096, 4096)


@dataclass(frozen=True)
class Case:
    """One line of a table: ``candidates["numpy"]`` is the rival every other one is divided by."""

    group: str
    name: str
    candidates: dict[str, Callable[[], object]]
    check: Callable[[], None]


def within(actual, expected, tolerance: float) -> None:
    """Fail unless the largest difference is under ``tolerance`` times the largest magnitude."""
    worst = np.abs(actual - expected).max() / np.abs(expected).max()
    if not worst <= tolerance:
        raise AssertionError(
            f"answers differ by {worst:.2e} of the largest magnitude, allowed {tolerance:.0e}"
        )


def same(actual, expected) -> None:
    """Fail unless the arrays are equal."""
    if not np.array_equal(actual, expected):
        raise AssertionError("answers differ")


def linear_cases() -> Iterator[Case]:
    """float32 in and out: NumPy's float32 product against packed layers of each form."""
    rng = np.random.default_rng(1)
    for m, k, n in SHAPES:
        x = rng.standard_normal((m, k), np.float32)
        weight = rng.standard_normal((n, k), np.float32)
        out = np.empty((m, n), np.float32)
        # Tolerances are those of the arithmetic: float32, int8 per channel, int4 in groups of 32.
        forms = {
            "float32": (weight, 1e-5),
            "int8 channel": (paring.quantize(weight), 2e-2),
            "int4 group 32": (paring.quantize(weight, bits=4, granularity="group"), 2e-1),
            "int4 group 128": (paring.quantize(weight, bits=4, granularity="group", group_size=128), 2e-1),
        }
        candidates: dict[str, Callable[[], object]] = {
            "numpy": lambda x=x, weight=weight, out=out: np.matmul(x, weight.T, out=out)
        }
        layers = {name: paring.PackedLinear(form) for name, (form, _) in forms.items()}
        for name, layer in layers.items():
            candidates[name] = lambda layer=layer, x=x, out=out: layer(x, out=out)

        def check(x=x, weight=weight, layers=layers, forms=forms) -> None:
            for name, layer in layers.items():
                within(layer(x), x @ weight.T, forms[name][1])

        yield Case("linear", f"M={m} K={k} N={n}", candidates, check)


def sparse_cases() -> Iterator[Case]:
    """The same product with 90 % of the weight pruned; NumPy's dense product and SciPy's CSR beside ours."""
    rng = np.random.default_rng(2)
    for m, k, n in SPARSE_SHAPES:
        x = rng.standard_normal((m, k), np.float32)
        weight = paring.prune(rng.standard_normal((n, k), np.float32), sparsity=0.9)
        out = np.empty((m, n), np.float32)
        csr = sparse.csr_array(weight)
        layer = paring.PackedLinear(paring.sparsify(weight))
        codes = paring.PackedLinear(paring.sparsify(paring.quantize(weight)))

        def check(x=x, weight=weight, layer=layer, codes=codes) -> None:
            within(layer(x), x @ weight.T, 1e-5)
            within(codes(x), x @ weight.T, 2e-2)

        yield Case(
            "sparse 90 %",
            f"M={m} K={k} N={n}",
            {
                "numpy": lambda x=x, weight=weight, out=out: np.matmul(x, weight.T, out=out),
                "scipy csr": lambda csr=csr, x=x: (csr @ x.T).T,
                "float32 csr": lambda layer=layer, x=x, out=out: layer(x, out=out),
                "int8 csr": lambda codes=codes, x=x, out=out: codes(x, out=out),
            },
            check,
        )


def weight_cases() -> Iterator[Case]:
    """Passes over one weight: NumPy's own way, ours with fresh output, ours with ``out=``."""
    rng = np.random.default_rng(3)
    weight = rng.standard_normal(WEIGHT_SHAPE, np.float32)
    name = f"{WEIGHT_SHAPE[0]}x{WEIGHT_SHAPE[1]} float32"
    out = np.empty_like(weight)

    def numpy_threshold() -> np.ndarray:
        return np.where(np.abs(weight) >= 1, weight, np.float32(0))

    yield Case(
        "threshold",
        name,
        {
            "numpy": numpy_threshold,
            "fresh": lambda: paring.prune(weight, threshold=1.0),
            "out=": lambda: paring.prune(weight, threshold=1.0, out=out),
        },
        lambda: same(paring.prune(weight, threshold=1.0), numpy_threshold()),
    )

    def numpy_quantize() -> np.ndarray:
        scale = np.abs(weight).max(axis=1, keepdims=True) / np.float32(127)
        return np.clip(np.rint(weight / scale), -127, 127).astype(np.int8)

    quantized = paring.quantize(weight)
    yield Case(
        "quantize int8 channel",
        name,
        {
            "numpy": numpy_quantize,
            "fresh": lambda: paring.quantize(weight),
            "out=": lambda: paring.quantize(weight, out=quantized),
        },
        lambda: same(paring.quantize(weight).data, numpy_quantize()),
    )

    def numpy_quantize_int4() -> np.ndarray:
        groups = weight.reshape(len(weight), -1, 32)
        largest = np.take_along_axis(groups, np.abs(groups).argmax(axis=2)[..., None], axis=2)
        codes = np.clip(np.rint(groups / (largest / np.float32(-8))), -8, 7).astype(np.int8) + 8
        pairs = codes.reshape(len(weight), -1, 2).astype(np.uint8)
        return pairs[..., 0] | pairs[..., 1] << 4

    quantized4 = paring.quantize(weight, bits=4, granularity="group")
    yield Case(
        "quantize int4 group 32",
        name,
        {
            "numpy": numpy_quantize_int4,
            "fresh": lambda: paring.quantize(weight, bits=4, granularity="group"),
            "out=": lambda: paring.quantize(weight, bits=4, granularity="group", out=quantized4),
        },
        lambda: same(paring.quantize(weight, bits=4, granularity="group").data, numpy_quantize_int4()),
    )

    def numpy_sparsity() -> np.ndarray:
        magnitude = np.abs(weight).ravel()
        count = round(0.9 * magnitude.size)
        smallest = np.argpartition(magnitude, count)[:count]
        result = weight.copy()
        result.reshape(-1)[smallest] = 0
        return result

    yield Case(
        "prune 90 % by magnitude",
        name,
        {
            "numpy": numpy_sparsity,
            "fresh": lambda: paring.prune(weight, sparsity=0.9),
            "out=": lambda: paring.prune(weight, sparsity=0.9, out=out),
        },
        lambda: same(
            np.count_nonzero(paring.prune(weight, sparsity=0.9)), np.count_nonzero(numpy_sparsity())
        ),
    )
    pruned = paring.prune(weight, sparsity=0.9)
    yield Case(
        "dense to CSR, 90 % zeros",
        name,
        {"numpy": lambda: sparse.csr_array(pruned), "fresh": lambda: paring.sparsify(pruned)},
        lambda: same(paring.sparsify(pruned).indices, sparse.csr_array(pruned).indices),
    )


def all_cases() -> Iterator[Case]:
    """Yield every case; each is built when asked for, so that one case's arrays are gone before the next."""
    yield from linear_cases()
    yield from sparse_cases()
    yield from weight_cases()
