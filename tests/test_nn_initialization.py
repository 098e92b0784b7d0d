"""How weights start: bounds and spreads, and that they depend on seed, name and shape alone."""

import math

import numpy as np
import pytest

from paring import nn
from paring.nn.initialization import SCHEMES

LAYERS = nn.Sequential(nn.Conv2d(6, 40, (3, 5), groups=2), nn.Flatten(), nn.Linear(40 * 4 * 2, 200))
SHAPE = (None, 6, 6, 6)
# fan_in and fan_out of the two weights.
FANS = {"0.weight": (3 * 15, 40 * 15), "2.weight": (320, 200)}


def state(init="pytorch", seed=0, dtype="float64", layers=LAYERS):
    return nn.Model(layers, SHAPE, init=init, seed=seed, dtype=dtype).state_dict()


def test_golden_values():
    """They are part of what a seed means; a change of them changes every experiment."""
    found = state(dtype="float64")
    np.testing.assert_array_equal(found["0.weight"].reshape(-1)[:3], GOLDEN["0.weight"])
    np.testing.assert_array_equal(found["2.bias"][:3], GOLDEN["2.bias"])
    embedding = nn.Model(nn.Embedding(4, 3), (1,), dtype="float64").state_dict()["weight"]
    np.testing.assert_array_equal(embedding[0], GOLDEN["embedding"])


GOLDEN = {
    "0.weight": [-0.12969112376537667, 0.11073105788965107, 0.01841442991002948],
    "2.bias": [0.03679565165229413, -0.03046216079263873, 0.015876752092436795],
    "embedding": [0.7657189049445862, 0.8083860640320767, -0.7205747208037948],
}


def test_a_seed_gives_the_same_again_and_another_something_else():
    for name, array in state(seed=7).items():
        assert array.tobytes() == state(seed=7)[name].tobytes()
        assert (array != state(seed=8)[name]).all()


def test_a_layer_more_changes_none_before_it():
    longer = nn.Sequential(*LAYERS, nn.ReLU(), nn.Linear(200, 10))
    found = state(layers=longer)
    for name, array in state().items():
        assert array.tobytes() == found[name].tobytes()


def test_weights_differ_from_each_other():
    layers = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6))
    weights = [array for array in nn.Model(layers, (1, 6)).state_dict().values() if array.ndim == 2]
    assert (weights[0] != weights[1]).all()


def test_float32_is_float64_rounded():
    for name, array in state(dtype="float32").items():
        np.testing.assert_array_equal(array, state(dtype="float64")[name].astype(np.float32))


def test_pytorchs_bounds():
    found = state()
    for layer in ("0", "2"):
        bound = 1 / math.sqrt(FANS[f"{layer}.weight"][0])
        for part in ("weight", "bias"):
            size = np.abs(found[f"{layer}.{part}"]).max()
            # The largest of 40 uniform numbers is below 0.85 of the bound with a chance of 0.0015.
            assert 0.85 * bound < size <= bound


@pytest.mark.parametrize("init", [scheme for scheme in SCHEMES if scheme != "pytorch"])
def test_he_and_glorot(init):
    found = state(init)
    for name, (fan_in, fan_out) in FANS.items():
        deviation = math.sqrt(2 / fan_in if init.startswith("he") else 2 / (fan_in + fan_out))
        weight = found[name]
        assert weight.std() == pytest.approx(deviation, rel=0.05)
        if init.endswith("uniform") or init == "glorot":
            assert 0.97 * deviation * math.sqrt(3) < np.abs(weight).max() <= deviation * math.sqrt(3)
        else:
            assert np.abs(weight).max() > 2.5 * deviation
    assert not found["0.bias"].any()
    assert not found["2.bias"].any()


@pytest.mark.parametrize(("name", "same"), [("he", "he_normal"), ("glorot", "glorot_uniform")])
def test_short_names(name, same):
    for key, array in state(name).items():
        assert array.tobytes() == state(same)[key].tobytes()


def test_schemes_leave_norms_and_embeddings_alone():
    layers = nn.Sequential(nn.Embedding(50, 8), nn.LayerNorm(8), nn.Flatten(), nn.BatchNorm1d(16))
    plain = nn.Model(layers, (None, 2)).state_dict()
    for name, array in nn.Model(layers, (None, 2), init="he").state_dict().items():
        np.testing.assert_array_equal(array, plain[name])


def test_attention_starts_as_one_glorot_matrix():
    found = nn.Model(nn.MultiHeadAttention(64, 4), (1, 2, 64)).state_dict()
    bound = math.sqrt(6 / (4 * 64))
    assert 0.99 * bound < np.abs(found["in_proj_weight"]).max() <= bound
    assert 0.99 / 8 < np.abs(found["out_proj.weight"]).max() <= 1 / 8
    assert not found["in_proj_bias"].any()
    assert not found["out_proj.bias"].any()


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"seed": -1}, ValueError, "seed: expected an int of at least 0, got -1"),
        ({"seed": 1.5}, TypeError, r"seed: expected an int, got float 1\.5"),
        ({"init": "xavier"}, ValueError, "init: expected one of 'pytorch', 'he', .* got 'xavier'"),
        ({"dtype": "float16"}, ValueError, "dtype: expected 'float32' or 'float64', got 'float16'"),
        ({"dtype": "nonsense"}, ValueError, "dtype: expected 'float32' or 'float64', got 'nonsense'"),
    ],
)
def test_bad_arguments(options, kind, message):
    with pytest.raises(kind, match=message):
        nn.Model(nn.ReLU(), (1,), **options)
