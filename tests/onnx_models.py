"""ONNX models made by the onnx package, for the tests that have it."""

from paring.formats import read


def read_model(folder, *initializers, nodes=(), **more):
    """Write a model of these initializers and nodes, and return what paring reads."""
    import onnx

    path = folder / "m.onnx"
    graph = onnx.helper.make_graph(list(nodes), "g", [], [], list(initializers))
    onnx.save(onnx.helper.make_model(graph, **more), path)
    return read(path)
