"""How long a run holds the values it computes."""

import gc
import weakref

import numpy as np

from paring.graph.evaluation import evaluate, record
from paring.graph.nodes import Graph, Input, Node
from paring.graph.operators import Operator
from paring.graph.ops import OPERATORS


class Probe:
    """An operator that adds 1 and notes how many values it made are still alive each time it is called."""

    def __init__(self):
        self.made, self.alive, self.alive_on_the_way_back = [], [], []

    def count(self):
        gc.collect()
        return sum(value() is not None for value in self.made)

    def operator(self):
        def infer(node, shapes):
            return shapes

        def meaning(node, inputs, run):
            self.alive.append(self.count())
            y = inputs[0] + 1
            self.made.append(weakref.ref(y))
            return (y,)

        def gradient(node, inputs, outputs, gradients, needed, kept):
            self.alive_on_the_way_back.append(self.count())
            return (gradients[0].copy(),)

        return Operator("Probe", infer, meaning, gradient)


def probed(monkeypatch, length):
    probe = Probe()
    monkeypatch.setitem(OPERATORS, "Probe", probe.operator())
    nodes = [Node("Probe", (f"v{i}",), (f"v{i + 1}",), name=str(i)) for i in range(length)]
    return probe, Graph(nodes, {}, (Input("v0", (2,)),), (f"v{length}",))


def test_a_run_holds_no_more_than_it_needs(monkeypatch):
    probe, graph = probed(monkeypatch, 6)
    evaluate(graph, {"v0": np.zeros(2)})
    assert probe.alive == [0, 1, 1, 1, 1, 1]


def test_recording_holds_what_gradients_need(monkeypatch):
    probe, graph = probed(monkeypatch, 6)
    tape = record(graph, {"v0": np.zeros(2)}, ["v0"])
    assert probe.count() == 6
    tape.backward({"v6": np.ones(2)})
    # Of the six, the last is an output of the tape; of the others, each goes as soon as its node is behind.
    assert probe.alive_on_the_way_back == [6, 6, 5, 4, 3, 2]
    assert probe.count() == 1
    assert tape.values == {}


def test_recording_frozen_nodes_holds_nothing(monkeypatch):
    probe, graph = probed(monkeypatch, 6)
    record(graph, {"v0": np.zeros(2)}, [])
    assert probe.alive == [0, 1, 1, 1, 1, 1]
