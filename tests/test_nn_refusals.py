"""What makes no value and no model in the functional form, and what is said then."""

import numpy as np
import pytest

from paring import nn


def pair():
    return nn.Input((None, 4), name="a"), nn.Input((None, 4), name="b")


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: nn.Input(4), TypeError, r"shape: expected a shape such as \(None, 3, 32, 32\), got int 4"),
        (lambda: nn.Input((None, 2.5)), TypeError, r"shape: expected ints and None, got \(None, 2\.5\)"),
        (lambda: nn.Input((None, -1)), ValueError, r"shape: expected non-negative integers, got \[-1\]"),
        (lambda: nn.Input((2**62, 2**62)), ValueError, r"shape: expected at most .* bytes"),
        (
            lambda: nn.Input((1,), "float16"),
            ValueError,
            r"dtype: expected one of 'float32', .* got 'float16'",
        ),
        (lambda: nn.Input((1,), name=""), ValueError, r"name: expected a name such as 'conv1'"),
        (lambda: nn.Input((1,), name=3), TypeError, r"name: expected str, got int 3"),
        (lambda: nn.ReLU()(np.ones(3)), TypeError, r"ReLU\(\): expected values of nn\.Input.* got ndarray"),
        (lambda: nn.ReLU()(*pair()), ValueError, r"layer 'relu', ReLU\(\): expected one value, got 2"),
        (lambda: nn.ReLU()(), ValueError, r"layer 'relu', ReLU\(\): expected one value, got 0"),
        (
            lambda: nn.MultiHeadAttention(4, 2)(),
            ValueError,
            r"MultiHeadAttention\(4, 2\): expected 1 or 2 values, got 0",
        ),
        (lambda: nn.ReLU()(pair()[0], name="a:b"), ValueError, r"name: expected a name .* got 'a:b'"),
        (lambda: nn.Linear(3, 2)(pair()[0], name="fc"), ValueError, r"layer 'fc', Linear\(3, 2\): expected"),
        (lambda: pair()[0] + "x", TypeError, r"Add: expected values, arrays and numbers, got str 'x'"),
        (lambda: pair()[0] + np.ones(3), ValueError, r"Add node 'add'"),
        (
            lambda: nn.Input((2,), "int64") * 0.5,
            ValueError,
            r"Mul: expected int64 beside values of int64, got 0\.5",
        ),
        (lambda: pair()[0].reshape(2.5), TypeError, r"reshape: expected ints, got \(2\.5,\)"),
        (lambda: pair()[0].reshape(0, 3), ValueError, r"Reshape node 'reshape'"),
        (
            lambda: pair()[0].transpose(0, 0),
            ValueError,
            r"transpose: expected each of 2 axes once, got \(0, 0\)",
        ),
        (
            lambda: pair()[0].transpose(1, 2),
            ValueError,
            r"transpose: expected each of 2 axes once, got \(1, 2\)",
        ),
        (lambda: pair()[0].transpose(1.0, 0), TypeError, r"transpose: expected ints, got \(1\.0, 0\)"),
        (lambda: nn.apply("Relux", pair()[0]), ValueError, r"op: expected one of Abs, .* got 'Relux'"),
        (
            lambda: nn.apply("Relu", pair()[0], outputs=0),
            ValueError,
            r"outputs: expected an int of at least 1",
        ),
        (lambda: nn.apply("Relu", pair()[0], outputs=2), ValueError, r"expected at most 1 outputs, got 2"),
        (lambda: nn.apply("Relu", *pair()), ValueError, r"Relu: expected 1 inputs, got 2"),
        (lambda: nn.apply("Clip", *pair(), 1, 2), ValueError, r"Clip: expected 1 to 3 inputs, got 4"),
        (lambda: nn.apply("Concat", axis=0), ValueError, r"Concat: expected 1 or more inputs, got 0"),
        (
            lambda: nn.apply("Softmax", pair()[0], axes=1),
            ValueError,
            r"expected attributes of 'axis', got 'axes'",
        ),
        (
            lambda: nn.apply("Relu", pair()[0], axis=1),
            ValueError,
            r"Relu: expected attributes of none, got 'axis'",
        ),
        (lambda: nn.apply("Softmax", pair()[0], axis=None), TypeError, r"attribute 'axis': expected an int"),
        (lambda: nn.apply("Softmax", pair()[0], axis=True), TypeError, r"attribute 'axis': expected an int"),
        (lambda: nn.concat([*pair(), nn.Input((None, 5))], axis=0), ValueError, r"Concat node 'concat'"),
    ],
)
def test_what_makes_no_value_is_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (
            lambda a, b: nn.Model(a, b),
            ValueError,
            r"inputs: expected all that the outputs depend on, got no <Input 'b'",
        ),
        (lambda a, b: nn.Model([a, b], nn.ReLU()(a)), ValueError, r"depend on, got <Input 'b'.* as well"),
        (
            lambda a, b: nn.Model([a, nn.ReLU()(a)], b),
            TypeError,
            r"inputs: expected values of nn\.Input, got <Value of",
        ),
        (lambda a, b: nn.Model([a, 3], b), TypeError, r"inputs: expected values of nn\.Input, got 3"),
        (lambda a, b: nn.Model([a, b], {}), ValueError, r"outputs: expected one value or more, got none"),
        (lambda a, b: nn.Model([a, b], None), TypeError, r"outputs: expected a value, several, or a mapping"),
        (
            lambda a, b: nn.Model([a, b], [a + b, 3]),
            TypeError,
            r"output 'output1': expected a value of a layer, got int",
        ),
        (lambda a, b: nn.Model([a, b], {"": a + b}), ValueError, r"name of an output: expected a name"),
        (lambda a, b: nn.Model([a, b], {"a": a + b}), ValueError, r"names of their own .* got 'a' for two"),
        (
            lambda a, b: nn.Model([a, b], {"l.weight": nn.Linear(4, 4)(a + b, name="l")}),
            ValueError,
            r"names of their own for inputs, outputs and weights, got 'l\.weight' for two of them",
        ),
        (
            lambda a, b: nn.Model([a, b], a + b, dtype="float64"),
            ValueError,
            r"expected one dtype in a model, got inputs of float32 and weights of float64",
        ),
    ],
)
def test_what_makes_no_model_is_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make(*pair())


def test_two_inputs_of_one_name_are_refused():
    a, b = nn.Input((1,)), nn.Input((1,))
    with pytest.raises(ValueError, match=r"expected a name of its own for each, .* got 'input' twice"):
        nn.Model([a, b], a + b)


def test_inputs_of_two_dtypes_are_refused():
    a, b = nn.Input((1,)), nn.Input((1,), "float64", name="b")
    with pytest.raises(ValueError, match=r"expected one dtype in a model, got inputs of float32 and float64"):
        nn.Model([a, b], a + nn.apply("Cast", b, to=1))
