"""Weights that are (in_features, out_features): every form knows which axis the channels are."""

import numpy as np
import pytest

import paring
from paring import PruneStep, QuantizeStep, Recipe, SparsifyStep


class Model:
    def __init__(self, *arrays):
        self.arrays = arrays

    def get_weights(self):
        return list(self.arrays)


@pytest.fixture
def kernel(rng):
    return rng.standard_normal((64, 64)).astype(np.float32)


FORMS = {
    "int8": [QuantizeStep()],
    "int4": [QuantizeStep(bits=4, granularity="group", group_size=16)],
    "csr": [PruneStep(sparsity=0.9), SparsifyStep()],
    "int8 csr": [PruneStep(sparsity=0.9), QuantizeStep(), SparsifyStep()],
}


@pytest.mark.parametrize("steps", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_a_square_kernel_is_not_taken_for_its_transpose(kernel, steps, suffix, rng, tmp_path):
    compressed = paring.compress(Model(kernel), Recipe(steps, min_size=0))
    paring.write(tmp_path / f"m{suffix}", compressed)
    weight = paring.read(tmp_path / f"m{suffix}")["0"]
    assert weight == compressed["0"]
    assert (weight.axis, weight.shape) == (1, (64, 64))
    x = rng.standard_normal((3, 64)).astype(np.float32)
    expected = x @ weight.dense()
    # int8 activations: two roundings of at most half a step each, over 64 products
    assert np.abs(paring.PackedLinear(weight)(x) - expected).max() < 0.03 * np.abs(expected).max()
    assert np.array_equal(compressed.dense_list()[0], weight.dense())


def test_csr_of_an_axis_is_that_of_the_transpose(kernel):
    pruned = paring.prune(kernel[:, :40], sparsity=0.7)
    ours, transposed = paring.sparsify(pruned, axis=-1), paring.sparsify(np.ascontiguousarray(pruned.T))
    assert np.array_equal(ours.indices, transposed.indices)
    assert np.array_equal(ours.data, transposed.data)
    assert np.array_equal(ours.dense(), pruned)
    with pytest.raises(ValueError, match="axis: expected -2 to 1"):
        paring.sparsify(pruned, axis=2)


def test_n_of_m_runs_along_the_inputs(rng):
    kernel = rng.standard_normal((128, 10)).astype(np.float32)
    compressed = paring.compress(Model(kernel), Recipe([PruneStep(structure="2:4")], min_size=0))
    expected = paring.prune(np.ascontiguousarray(kernel.T), structure="2:4").T
    assert np.array_equal(compressed["0"], expected)


def test_kept_arrays_are_not_those_of_the_model():
    bias = np.zeros(3, np.float32)
    kept = paring.compress(Model(bias))["0"]
    assert np.array_equal(kept, bias)
    assert not np.shares_memory(kept, bias)
