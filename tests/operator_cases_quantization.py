"""Cases of the operators that quantize: some inputs are integers that stand for floats."""

import numpy as np

from operator_case import Case

RNG = np.random.default_rng(5)
WEIGHT = RNG.standard_normal((4, 10)).astype(np.float32)
FILTERS = RNG.standard_normal((4, 3, 2, 2)).astype(np.float32)
CODES = RNG.integers(-8, 8, (4, 10)).astype(np.int8)
PLUS = np.array([3, -2, 0, 7], np.int8)


def scales(*shape):
    return RNG.uniform(0.02, 0.3, shape).astype(np.float32)


CASES = [
    Case("QuantizeLinear", (WEIGHT, scales()), {"output_dtype": 3}),
    Case("QuantizeLinear", (WEIGHT, scales(4)), {"axis": 0, "output_dtype": 3}),
    Case("QuantizeLinear", (WEIGHT, scales(4), PLUS), {"axis": 0}),
    Case("QuantizeLinear", (WEIGHT, scales(10), np.full(10, 130, np.uint8)), {"axis": -1}),
    Case("QuantizeLinear", (FILTERS, scales(3)), {"output_dtype": 3}),
    Case("QuantizeLinear", (WEIGHT, scales(4, 2)), {"axis": 1, "block_size": 5, "output_dtype": 3}),
    Case("DequantizeLinear", (CODES, scales())),
    Case("DequantizeLinear", (CODES, scales(4), PLUS), {"axis": 0}),
    Case("DequantizeLinear", (CODES, scales(4, 2)), {"axis": 1, "block_size": 5}),
    Case("DequantizeLinear", (CODES.astype(np.int32), scales(10)), {"axis": 1}),
    Case("paring.WeightScale", (WEIGHT,), {"bits": 4}),
    Case("paring.LearnedScale", (scales(4), np.array([0.0, -3.0, 0.5, 40.0], np.float32)), {}),
    Case(
        "paring.IntegerConv",
        (
            RNG.standard_normal((2, 3, 5, 4)).astype(np.float32),
            CODES.repeat(2, 1)[:, :12],
            scales(4),
            None,
            scales(4),
        ),
        {"axis": 0, "bits": 4, "kernel_shape": (2, 2), "pads": (1, 0, 1, 0)},
    ),
    Case(
        "paring.IntegerDense",
        (RNG.standard_normal((5, 10)).astype(np.float32), CODES, scales(4), None, scales(4)),
        {"axis": 0, "bits": 4, "form": "Gemm"},
    ),
]
"""The uneven last block of a scale is ours alone: onnx's reference evaluator refuses it."""
