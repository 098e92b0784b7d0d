"""Dropout: what it keeps, where its chance comes from, and its gradient."""

import math

import numpy as np
import pytest

from operator_graphs import graph_of_arrays
from paring.graph.evaluation import evaluate, record
from paring.graph.nodes import Graph, Input, Node
from paring.graph.operators import Run


def values_of(arrays):
    return {f"x{i}": array for i, array in enumerate(arrays)}


def dropout(x, ratio=None, mode=None, run=None, outputs=1):
    arrays = [x] if ratio is None else [x, np.array(ratio, np.float32)]
    arrays += [] if mode is None else [np.array(mode)]
    graph = graph_of_arrays("Dropout", arrays, {}, outputs)
    return list(evaluate(graph, values_of(arrays), run).values())


def seeded(seed=0):
    return Run(training=True, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("ratio", [None, 0.25, 0.9])
def test_dropout_scales_what_it_keeps(ratio):
    x = np.full((100, 200), 3.0, np.float32)
    y, mask = dropout(x, ratio, run=seeded(), outputs=2)
    p = 0.5 if ratio is None else ratio
    assert mask.dtype == np.bool_
    np.testing.assert_array_equal(y == 0, ~mask)
    np.testing.assert_allclose(y[mask], 3 / (1 - p), rtol=1e-6)
    # 20,000 draws: five standard deviations.
    assert abs(mask.mean() - (1 - p)) < 5 * math.sqrt(p * (1 - p) / mask.size)


def test_dropout_is_repeated_by_its_seed():
    x = np.ones((50, 50))
    assert dropout(x, run=seeded(1))[0].tobytes() == dropout(x, run=seeded(1))[0].tobytes()
    assert dropout(x, run=seeded(1))[0].tobytes() != dropout(x, run=seeded(2))[0].tobytes()


def test_dropout_of_all_gives_zeros():
    y, mask = dropout(np.array([1.0, np.inf, np.nan]), 1.0, run=seeded(), outputs=2)
    assert y.tolist() == [0, 0, 0]
    assert not mask.any()


@pytest.mark.parametrize(("ratio", "run"), [(0.5, None), (0.5, Run()), (0.0, Run(training=True))])
def test_dropout_gives_its_input_where_nothing_is_dropped(ratio, run):
    x = np.arange(6.0)
    y, mask = dropout(x, ratio, run=run, outputs=2)
    assert y.tobytes() == x.tobytes()
    assert mask.all()


def test_dropout_drops_where_its_input_says_so():
    run = Run(rng=np.random.default_rng(0))
    assert (dropout(np.ones(100), 0.5, True, run)[0] == 0).any()
    assert (dropout(np.ones(100), 0.5, False, run)[0] == 1).all()


@pytest.mark.parametrize(("ratio", "mode"), [(0.5, None), (0.5, True)])
def test_dropout_refuses_to_go_without_chance(ratio, mode):
    run = Run(training=mode is None)
    with pytest.raises(
        ValueError, match="'here': expected a run with a generator of random numbers, got none"
    ):
        dropout(np.ones(3), ratio, mode, run)


@pytest.mark.parametrize("ratio", [-0.1, 1.5, math.nan])
def test_a_ratio_that_is_no_probability_is_refused(ratio):
    with pytest.raises(
        ValueError, match=f"ratio: expected a number from 0 to 1, got {ratio:.1f}".replace(".", r"\.")
    ):
        dropout(np.ones(3), ratio)


@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0])
def test_the_gradient_of_dropout_goes_where_values_went(ratio):
    x = np.linspace(1, 2, 1000).astype(np.float32)
    arrays = [x, np.array(ratio, np.float32)]
    tape = record(graph_of_arrays("Dropout", arrays), values_of(arrays), ["x0"], seeded())
    y = tape.outputs["y0"]
    dx = tape.backward({"y0": np.ones_like(x)})["x0"]
    assert dx.dtype == np.float32
    np.testing.assert_allclose(dx * x, y, rtol=1e-6)


def test_two_nodes_draw_one_after_the_other():
    nodes = (Node("Dropout", ("x",), ("a",), name="a"), Node("Dropout", ("x",), ("b",), name="b"))
    graph = Graph(nodes, {}, (Input("x", (100,), "float64"),), ("a", "b"))
    a, b = evaluate(graph, {"x": np.ones(100)}, seeded()).values()
    assert a.tobytes() != b.tobytes()
