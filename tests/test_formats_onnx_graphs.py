"""Which tensors of an ONNX model are weights, and their names."""

import ml_dtypes
import numpy as np
import pytest

from onnx_models import read_model
from weight_files import assert_same

onnx = pytest.importorskip("onnx")


def float_tensor(name, shape=(2,), value=1.0):
    return onnx.numpy_helper.from_array(np.full(shape, value, np.float32), name)


def constant(output, array, **more):
    return onnx.helper.make_node("Constant", [], [output], value=onnx.numpy_helper.from_array(array), **more)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.ones((2, 3), np.float32), True),
        (np.ones(1, np.float16), True),
        (np.ones(3, np.float64), True),
        (np.ones((2, 2), ml_dtypes.bfloat16), True),
        (np.ones((2, 2), np.int8), True),
        (np.ones((2, 2), np.uint8), True),
        (np.float32(1), False),
        (np.ones((2, 2), np.int64), False),
        (np.ones(3, np.int32), False),
        (np.ones(3, np.bool_), False),
    ],
    ids=lambda value: f"{value.dtype}{value.ndim}d" if hasattr(value, "dtype") else str(value),
)
def test_constants_that_look_like_weights(tmp_path, array, expected):
    weights = read_model(tmp_path, nodes=[constant("c", np.asarray(array))])
    assert list(weights) == (["c"] if expected else [])
    for got in weights.values():
        assert_same(got, array)


def test_tensors_of_other_nodes_are_no_weights(tmp_path):
    value = float_tensor("", (3,))
    fill = onnx.helper.make_node("ConstantOfShape", ["s"], ["f"], value=value)
    other = onnx.helper.make_node("Constant", [], ["o"], value=value, domain="com.example")
    floats = onnx.helper.make_node("Constant", [], ["l"], value_floats=[1.0, 2.0])
    assert list(read_model(tmp_path, nodes=[fill, other, floats])) == []


def branch(name, *initializers, nodes=()):
    return onnx.helper.make_graph(list(nodes), name, [], [], list(initializers))


def test_graphs_in_graphs(tmp_path):
    inner = onnx.helper.make_node(
        "If",
        ["x"],
        ["y"],
        name="If_1",
        then_branch=branch("t", float_tensor("w", value=5)),
        else_branch=branch("e"),
    )
    outer = [
        onnx.helper.make_node(
            "If",
            ["c"],
            ["d"],
            name="If_0",
            then_branch=branch("t", float_tensor("w", value=3), float_tensor("only", value=4)),
            else_branch=branch("e", nodes=[inner, constant("w", np.full(2, 6, np.float32))]),
        ),
        onnx.helper.make_node("Loop", ["n"], ["out"], body=branch("b", float_tensor("w", value=7))),
    ]
    weights = read_model(tmp_path, float_tensor("w", value=1), float_tensor("v", value=2), nodes=outer)
    # Attributes of a node are in alphabetical order, as the helper writes them.
    assert {name: array[0] for name, array in weights.items()} == {
        "w": 1,
        "v": 2,
        "If_0/then_branch/w": 3,
        "only": 4,
        "If_0/else_branch/If_1/then_branch/w": 5,
        "If_0/else_branch/w": 6,
        "out/body/w": 7,
    }
    assert list(weights)[:2] == ["w", "v"]


def test_names_that_collide_however_qualified(tmp_path):
    nodes = [
        onnx.helper.make_node(
            "If", ["c"], [f"d{i}"], name="n", then_branch=branch("t", float_tensor("w", value=i))
        )
        for i in range(4)
    ]
    weights = read_model(tmp_path, float_tensor("n/then_branch/w#2", value=9), nodes=nodes)
    assert {name: array[0] for name, array in weights.items()} == {
        "n/then_branch/w#2": 9,
        "w": 0,
        "n/then_branch/w": 1,
        "n/then_branch/w#3": 2,
        "n/then_branch/w#4": 3,
    }


def test_functions(tmp_path):
    function = onnx.helper.make_function(
        "my.domain",
        "f",
        [],
        ["c"],
        [constant("c", np.ones(2, np.float32))],
        [onnx.helper.make_opsetid("", 21)],
    )
    other = onnx.helper.make_function(
        "", "g", [], ["c"], [constant("c", np.zeros(3, np.float32))], [onnx.helper.make_opsetid("", 21)]
    )
    weights = read_model(tmp_path, float_tensor("w"), functions=[function, other])
    assert {name: array.shape for name, array in weights.items()} == {"w": (2,), "c": (2,), "g/c": (3,)}
