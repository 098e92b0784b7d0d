"""The functional form: values, operators on them, any operator by name, names of layers."""

import numpy as np
import pytest

from paring import nn

X = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
Y = np.random.default_rng(1).standard_normal((2, 3, 4)).astype(np.float32)
MATRIX = np.random.default_rng(2).standard_normal((4, 5)).astype(np.float32)


def run(make, x=X, *, dtype="float32"):
    value = nn.Input((None, *x.shape[1:]), dtype)
    return nn.Model(value, make(value))(x.astype(dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "make",
    [
        lambda x: x + 2,
        lambda x: 2 + x,
        lambda x: x - 0.1,
        lambda x: 0.1 - x,
        lambda x: x * Y,
        lambda x: Y * x,
        lambda x: x / 3,
        lambda x: 3 / x,
        lambda x: -x,
        lambda x: x @ MATRIX,
        lambda x: MATRIX.T @ x.transpose(0, 2, 1),
        lambda x: x + x * x,
        lambda x: x.reshape(-1, 4),
        lambda x: x.reshape((2, 12)),
        lambda x: x.transpose(),
        lambda x: x.transpose(2, 0, 1),
        lambda x: x.transpose((0, -1, 1)),
        lambda x: np.float64(0.1) * x,
        lambda x: x + np.float32(0.1),
    ],
)
def test_operators_are_numpys(make, dtype):
    x = X.astype(dtype)
    expected = np.asarray(make(x))
    actual = run(make, dtype=dtype)
    assert actual.shape == expected.shape
    assert actual.dtype == dtype
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_a_constant_has_the_precision_of_the_model():
    assert run(lambda x: x * 0.1, np.ones((1, 1)), dtype="float64")[0, 0] == 0.1


def test_reshape_keeps_a_size_where_it_says_zero():
    assert run(lambda x: x.reshape(0, 2, 6)).shape == (2, 2, 6)


def test_concat_and_softmax():
    joined = run(lambda x: nn.concat([x, x * 2, x], axis=1))
    np.testing.assert_array_equal(joined, np.concatenate([X, X * 2, X], 1))
    shares = run(lambda x: nn.softmax(x, axis=1))
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-6)


def test_any_operator_by_its_name():
    np.testing.assert_allclose(
        run(lambda x: nn.apply("ReduceMean", x, np.array([1]), keepdims=0)), X.mean(1), rtol=1e-6
    )
    np.testing.assert_array_equal(run(lambda x: nn.apply("Clip", x, None, 0.5)), np.minimum(X, 0.5))
    first, second = nn.apply("Split", nn.Input((None, 6)), axis=1, num_outputs=2, outputs=2)
    assert first.shape == second.shape == (None, 3)
    np.testing.assert_array_equal(
        run(lambda x: nn.apply("Split", x, axis=2, num_outputs=2, outputs=2)[1]), X[:, :, 2:]
    )
    np.testing.assert_array_equal(
        run(lambda x: nn.apply("Where", nn.apply("Greater", x, 0), x, -1)), np.where(X > 0, X, -1)
    )
    np.testing.assert_array_equal(
        run(lambda x: nn.apply("Pad", x, np.array([0, 0, 1, 0, 0, 0]), 2))[:, :, 0], np.full((2, 3), 2)
    )
    # An index is an index, whatever is beside it.
    np.testing.assert_array_equal(run(lambda x: nn.apply("Gather", x, 1, axis=2)), X[:, :, 1])


def test_dtypes_follow_operators():
    x = nn.Input((None, 3))
    assert nn.apply("Greater", x, 0).dtype == "bool"
    assert nn.apply("Shape", x).dtype == "int64"
    assert nn.apply("Cast", x, to=7).dtype == "int64"
    assert nn.apply("Constant", value_ints=(1, 2)).dtype == "int64"
    assert nn.apply("Constant", value_float=1.0).dtype == "float32"
    assert nn.Embedding(3, 2)(nn.apply("Cast", x, to=7)).dtype == "float32"


def test_a_model_of_several_inputs_and_outputs():
    a, b = nn.Input((None, 3), name="a"), nn.Input((None, 3), name="b")
    total = a + b
    model = nn.Model([a, b], {"total": total, "double": total * 2})
    x = np.ones((2, 3), np.float32)
    found = model(x, 2 * x)
    np.testing.assert_array_equal(found[0], 3 * x)
    np.testing.assert_array_equal(found[1], 6 * x)
    assert model.graph.outputs == ("total", "double")
    assert nn.Model([b, a], [total, total * 2]).graph.outputs == ("output0", "output1")
    with pytest.raises(ValueError, match=r"expected 2 inputs \(a, b\), got 1"):
        model(x)


def test_an_output_may_be_an_input_or_come_twice():
    x = nn.Input((None, 3))
    y = nn.ReLU()(x)
    model = nn.Model(x, {"x": x, "y": y, "again": y})
    values = np.array([[-1, 0, 2]], np.float32)
    same, relu, again = model(values)
    np.testing.assert_array_equal(same, values)
    np.testing.assert_array_equal(relu, [[0, 0, 2]])
    np.testing.assert_array_equal(relu, again)


def test_names_of_layers():
    x = nn.Input((None, 4))
    y = nn.Linear(4, 4)(x, name="encoder.0.dense")
    y = nn.Linear(4, 4)(nn.ReLU()(nn.Linear(4, 4)(y)))
    model = nn.Model(x, nn.Linear(4, 4)(y, name="linear_1"))
    assert [name for name in model.weights if name.endswith("weight")] == [
        "encoder.0.dense.weight",
        "linear_0.weight",
        "linear_2.weight",
        "linear_1.weight",
    ]


def test_equal_layers_of_one_name_share_their_weights():
    x = nn.Input((None, 4))
    shared = nn.Model(x, nn.Linear(4, 4)(nn.Linear(4, 4)(x, name="l"), name="l"))
    assert shared.weights == ("l.weight", "l.bias")
    weight, bias = shared.state_dict().values()
    values = np.random.default_rng(0).standard_normal((2, 4)).astype(np.float32)
    once = values @ weight.T + bias
    np.testing.assert_allclose(shared(values), once @ weight.T + bias, rtol=1e-5)
    assert shared.num_parameters == 20


def test_another_layer_of_the_same_name_is_refused():
    x = nn.Input((None, 4))
    y = nn.ReLU()(nn.Linear(4, 4)(x, name="l"), name="l")
    with pytest.raises(
        ValueError, match=r"layer 'l': expected a name of its own for ReLU\(\), got that of Linear"
    ):
        nn.Model(x, y)
    z = nn.Linear(4, 4)(nn.Sequential(("0", nn.Linear(4, 4)))(x, name="s"), name="s.0")
    assert nn.Model(x, z).weights == ("s.0.weight", "s.0.bias")
    w = nn.Sequential(("weight", nn.Linear(4, 4)))(nn.Linear(4, 4)(x, name="s.weight"), name="s")
    assert len(nn.Model(x, w).weights) == 2


def test_a_weight_of_two_shapes_is_refused():
    x = nn.Input((None, 12))
    y = nn.MultiHeadAttention(12, 3)(x.reshape(-1, 1, 12), name="a").reshape(-1, 12)
    y = nn.Linear(12, 5)(y, name="a.out_proj")
    with pytest.raises(
        ValueError, match=r"weight 'a\.out_proj\.weight': expected one layer with it, got shapes"
    ):
        nn.Model(x, y)


def test_a_deep_model_needs_no_deep_stack():
    x = y = nn.Input((None, 2))
    for _ in range(3000):
        y = y + 1
    assert nn.Model(x, y)(np.zeros((1, 2), np.float32))[0, 0] == 3000


def test_values_say_what_they_are():
    x = nn.Input((None, 4), name="x")
    assert repr(x) == "<Input 'x': float32 (None, 4)>"
    assert repr(nn.Linear(4, 2)(x)) == "<Value of Linear(4, 2): float32 (None, 2)>"
    assert repr(nn.softmax(x)) == "<Value of Softmax(axis=-1): float32 (None, 4)>"


def test_a_layer_of_ones_own():
    from dataclasses import dataclass

    @dataclass(frozen=True, repr=False)
    class Scale(nn.Layer):
        size: int

        def build(self, scope, *inputs):
            weight = scope.weight("scale", (self.size,), nn.Initial("constant", 3.0))
            return scope.node("Mul", *inputs, weight)

    model = nn.Model(nn.Sequential(Scale(2), nn.ReLU()), (None, 2))
    assert list(model.state_dict()) == ["0.scale"]
    np.testing.assert_array_equal(model(np.ones((1, 2), np.float32)), [[3, 3]])
