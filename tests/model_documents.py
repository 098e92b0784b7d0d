"""A small graph with constants of every kind, and its document."""

import json

import numpy as np

from paring.graph.documents import to_document
from paring.graph.nodes import Graph, Input, Node

WEIGHTS = {"w": np.eye(3, dtype=np.float32)}
CONSTANTS = {
    "factor": np.array([0.1, -np.inf, 3], np.float32),
    "shape": np.array([-1, 3]),
    "half": np.array(0.1, np.float64),
    "flag": np.array([True, False]),
}


def make_graph():
    nodes = (
        Node("Gemm", ("x", "w"), ("h",), {"transB": 1, "alpha": 1.0}, "dense"),
        Node("Mul", ("h", "factor"), ("m",), {}, "scaled"),
        Node("Reshape", ("m", "shape"), ("y",), {}, "shaped"),
        Node("Identity", ("half",), ("half_out",), {}, "same"),
        Node("Identity", ("flag",), ("flag_out",), {}, "same_flag"),
        Node("Gelu", ("y",), ("g",), {"approximate": "tanh"}, "gelu"),
        Node("Transpose", ("g",), ("t",), {"perm": (1, 0)}, "turned"),
    )
    return Graph(nodes, {**WEIGHTS, **CONSTANTS}, (Input("x", (None, 3)),), ("t", "half_out", "flag_out"))


def document():
    return json.loads(json.dumps(to_document(make_graph(), CONSTANTS), allow_nan=False))
