"""Shapes that NumPy stretches, and the sums that undo it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

from paring.graph.broadcasting import broadcast_shapes, sum_to

shapes = mutually_broadcastable_shapes(num_shapes=3, min_side=0, max_side=4, max_dims=4)


@given(shapes)
def test_shapes_are_numpys(drawn):
    assert broadcast_shapes(*drawn.input_shapes) == np.broadcast_shapes(*drawn.input_shapes)


@given(shapes, st.data())
def test_unknown_sizes_are_the_real_ones_or_unknown(drawn, data):
    hidden = [
        tuple(data.draw(st.sampled_from([size, None])) for size in shape) for shape in drawn.input_shapes
    ]
    for size, real in zip(broadcast_shapes(*hidden), np.broadcast_shapes(*drawn.input_shapes), strict=True):
        assert size in (real, None)


@given(shapes)
def test_sum_to_is_the_transpose_of_stretching(drawn):
    """<stretch(x), g> = <x, sum_to(g)>, on whole numbers, so to the bit."""
    shape = drawn.input_shapes[0]
    rng = np.random.default_rng(0)
    x = rng.integers(-9, 9, shape).astype(np.float64)
    g = rng.integers(-9, 9, drawn.result_shape).astype(np.float64)
    summed = sum_to(g, shape)
    assert summed.shape == shape
    assert np.sum(np.broadcast_to(x, g.shape) * g) == np.sum(x * summed)


def test_sum_to_gives_back_what_needs_no_sum():
    g = np.ones((2, 3), np.float32)
    assert sum_to(g, (2, 3)) is g
    assert sum_to(g, (3,)).dtype == np.float32
    assert sum_to(g, (1, 3)).tolist() == [[2, 2, 2]]


@pytest.mark.parametrize("clash", [((2,), (3,)), ((2, 1), (3, 1)), ((0,), (2,)), ((2, 3), (None, 4))])
def test_shapes_that_do_not_fit(clash):
    with pytest.raises(ValueError, match="expected shapes that fit together, got "):
        broadcast_shapes(*clash)
