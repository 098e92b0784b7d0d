"""Gradients of every operator: against central differences, and nothing computed that nobody needs."""

import math
from dataclasses import replace

import numpy as np
import pytest

import operator_cases_quantization
import operator_cases_spatial
from operator_cases import CASES, Case
from operator_graphs import (
    differentiable,
    gradient_cases,
    gradients_of,
    graph_of,
    run_case,
    values_of,
    weights_for,
)
from paring.graph.evaluation import record
from paring.graph.operators import Run
from paring.graph.ops import OPERATORS

every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_gradient = pytest.mark.parametrize("case", gradient_cases(), ids=str)


def test_every_operator_has_a_case():
    """Here, in test_spatial_operators or in test_quantization_operators."""
    others = operator_cases_quantization.CASES + operator_cases_spatial.CASES
    assert set(OPERATORS) == {case.op for case in CASES + others}


def test_no_case_is_there_twice():
    names = [str(case) for case in CASES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("case", [case for case in gradient_cases() if not case.rounds], ids=str)
def test_gradient_against_central_differences(case):
    """Along random directions, in all inputs at once, in float64."""
    arrays = case.arrays()
    watch = differentiable(case, arrays)
    gradients, weights = gradients_of(case, arrays, watch)
    rng = np.random.default_rng(11)
    for _ in range(3):
        directions = [rng.standard_normal(arrays[i].shape) for i in watch]
        step = 1e-6

        def moved(amount, directions=directions):
            there = list(arrays)
            for i, direction in zip(watch, directions, strict=True):
                there[i] = arrays[i] + amount * direction
            return run_case(case, there)

        slope = sum(
            math.fsum((w * (after - before)).reshape(-1)) / (2 * step)
            for w, before, after in zip(weights, moved(-step), moved(step), strict=True)
        )
        terms = [(g * d).reshape(-1) for g, d in zip(gradients, directions, strict=True)]
        size = sum(math.fsum(abs(term)) for term in terms)
        # The values themselves are exact to 1e-16, so a difference over 2e-6 is exact to about 1e-10 of them.
        spread = sum(
            math.fsum(abs(w * y).reshape(-1)) for w, y in zip(weights, run_case(case, arrays), strict=True)
        )
        assert abs(slope - sum(map(math.fsum, terms))) <= 1e-6 * size + 1e-9 * spread


def test_the_gradient_check_sees_a_wrong_gradient(monkeypatch):
    right = OPERATORS["Exp"]

    def wrong(*arguments):
        return [1.0001 * gradient for gradient in right.gradient(*arguments)]

    monkeypatch.setitem(OPERATORS, "Exp", replace(right, gradient=wrong))
    with pytest.raises(AssertionError):
        test_gradient_against_central_differences(Case("Exp", ((2, 3),)))


@every_gradient
def test_gradients_have_the_shape_and_dtype_of_the_values(case):
    for dtype in (np.float32, np.float64):
        arrays = case.arrays(dtype)
        watch = differentiable(case, arrays)
        for i, gradient in zip(watch, gradients_of(case, arrays, watch)[0], strict=True):
            if gradient is not None:
                assert gradient.shape == arrays[i].shape
                assert gradient.dtype == arrays[i].dtype
                assert gradient.flags.c_contiguous
                assert gradient.flags.writeable


@every_gradient
def test_gradients_of_a_subset_are_those_of_all(case):
    arrays = case.arrays()
    watch = differentiable(case, arrays)
    together, _ = gradients_of(case, arrays, watch)
    for i, gradient in zip(watch, together, strict=True):
        (alone,), _ = gradients_of(case, arrays, [i])
        assert (alone is None) == (gradient is None)
        assert alone is None or alone.tobytes() == gradient.tobytes()


@every_gradient
def test_what_is_not_needed_is_none(case):
    """Straight from the operator, whatever the tape does with it."""
    arrays = case.arrays()
    watch = differentiable(case, arrays)
    node = graph_of(case, arrays).nodes[0]
    operator = OPERATORS[case.op]
    run = Run(kept={})
    outputs = operator.meaning(node, arrays, run)
    weights = weights_for(outputs)
    for i in watch:
        needed = [j == i for j in range(len(arrays))]
        results = operator.gradient(node, arrays, outputs, weights, needed, run.kept.get(node.name))
        assert len(results) == len(arrays)
        assert [j for j, result in enumerate(results) if result is not None] == [i]


class Untouchable:
    """An input that a gradient has no business with."""

    def __getattr__(self, name):
        raise AssertionError(f"touched: .{name}")


class ShapeOnly:
    """An input whose shape matters, and nothing else."""

    def __init__(self, array):
        self.shape, self.ndim, self.dtype = array.shape, array.ndim, array.dtype

    def __getattr__(self, name):
        raise AssertionError(f"touched: .{name}")


# Operators of several inputs: which of them each gradient reads (whole, or the shape only). So a gradient that was not
# needed was not computed: it would have read more.
READS = {
    "Add": {0: ([], [0]), 1: ([], [1])},
    "Sub": {0: ([], [0]), 1: ([], [1])},
    "Mul": {0: ([1], [0]), 1: ([0], [1])},
    "Div": {0: ([1], [0])},
    "MatMul": {0: ([1], [0]), 1: ([0], [1])},
    "Gemm": {0: ([1], [0]), 1: ([0], [1]), 2: ([], [2])},
    "Where": {1: ([0], [1]), 2: ([0], [2])},
    "Clip": {0: ([0, 1, 2], [])},
    "Concat": {0: ([], [0, 1, 2])},
}


@pytest.mark.parametrize("case", [case for case in gradient_cases() if case.op in READS], ids=str)
def test_what_is_not_needed_is_not_computed(case):
    arrays = case.arrays()
    node = graph_of(case, arrays).nodes[0]
    operator = OPERATORS[case.op]
    outputs = operator.meaning(node, arrays, Run(kept={}))
    weights = weights_for(outputs)
    for i, (whole, shape_only) in READS[case.op].items():
        if i not in differentiable(case, arrays):
            continue
        poisoned = [
            array if array is None or j in whole else ShapeOnly(array) if j in shape_only else Untouchable()
            for j, array in enumerate(arrays)
        ]
        needed = [j == i for j in range(len(arrays))]
        results = operator.gradient(node, poisoned, [Untouchable()], weights, needed, None)
        wanted = operator.gradient(node, arrays, outputs, weights, needed, None)
        assert results[i].tobytes() == wanted[i].tobytes()


@every_case
def test_inputs_stay_as_they_were(case):
    arrays = case.arrays()
    before = [None if array is None else array.tobytes() for array in arrays]
    for array in arrays:
        if array is not None:
            array.setflags(write=False)
    run_case(case, arrays)
    watch = differentiable(case, arrays)
    if watch:
        graph = graph_of(case, arrays)
        tape = record(graph, values_of(graph, arrays), [f"x{i}" for i in watch])
        weights = weights_for(tape.outputs.values())
        copies = [w.copy() for w in weights]
        for w in weights:
            w.setflags(write=False)
        tape.backward(dict(zip(graph.outputs, weights, strict=True)))
        assert all(w.tobytes() == copy.tobytes() for w, copy in zip(weights, copies, strict=True))
    assert [None if array is None else array.tobytes() for array in arrays] == before
