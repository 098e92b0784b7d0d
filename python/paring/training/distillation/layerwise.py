"""Layer by layer: a compressed model learns to give inside what its own original gives, from a few inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import numpy.typing as npt

from ...graph.evaluation import Walk
from ...graph.nodes import Graph, Node
from ...graph.uses import consumers, is_plain_product, only_consumer
from ...nn.model import Model
from ...weights import QuantizedWeight, SparseWeight, Weight
from ..fitting.batches import take_batches
from ..number_checks import check_number
from .least_squares import Moments, fit_rows, fit_scale, reselect_rows

__all__ = ["distill_layers"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Layer:
    """A node whose weight is fitted: a product with it, or a convolution."""

    place: int
    node: Node
    weight: str
    turned: bool  # the weight lies as (in, out), or is transposed on the way
    bias: str


def distill_layers(
    original: Model,
    compressed: Model,
    inputs: Any,
    *,
    match: str = "*",
    batch_size: int = 32,
    damping: float = 0.01,
    reselect: bool = False,
) -> Model:
    """Return the compressed model with its weights fitted, layer by layer, to what the original gives there.

    The layers are gone through in order. Of each whose weight was changed, the numbers that are left are chosen so
    that its outputs, for the inputs that the compressed model has for it by then, are as near as possible to the
    original's, in least squares: so later layers make good for what earlier ones lost. In pruned arrays and sparse
    weights what is zero stays zero; of quantized weights the integers stay, and the scales of each channel are
    multiplied by one number; biases follow. No labels, no learning rate, one pass over the data; what is kept in
    memory is what a forward run of both models has between two layers, and a matrix of the size of the layer's inputs
    squared.

    Parameters
    ----------
    original, compressed : Model
        The same layers: `compressed` came from `original`. Neither is changed.
    inputs : ndarray, or tuple of them
        Examples along the first axis, in the order of the model's inputs: more rows (tokens, places) than a layer has
        inputs are wanted, a few hundred examples will often do.
    match : str
        A glob: of the weights that were changed, those whose names match.
    batch_size : int
    damping : float
        At least 0: how much a weight is held where it is, in units of the mean square of the layer's inputs.
    reselect : bool
        Whether it is chosen anew which values of a pruned array are zero, as many as there are: those that cost its
        outputs least, not those that are smallest.

    Returns
    -------
    Model

    Raises
    ------
    TypeError, ValueError
        If an argument is out of these bounds, the models do not have the same layers, no weight of a dense layer or
        convolution was changed, or values are not finite.

    Notes
    -----
    The idea of fitting each layer to its own original: Hubara et al. 2021, arXiv 2006.10518, section 3; with pruned
    weights by least squares: Frantar, Alistarh 2022, arXiv 2208.11580, section 3. Solved by conjugate gradients, all
    rows at once.

    Examples
    --------
    >>> import numpy as np, paring
    >>> from paring import nn
    >>> x = np.random.default_rng(0).standard_normal((400, 64)).astype(np.float32)
    >>> x = x @ x[:64] / 8  # correlated, as activations are
    >>> model = nn.Model(nn.Linear(64, 32), (None, 64))
    >>> pruned = model.copy({"weight": paring.prune(model.state_dict()["weight"], sparsity=0.5)})
    >>> fitted = distill_layers(model, pruned, x)
    >>> def error(other):
    ...     return np.square(other(x) - model(x)).mean()
    >>> bool(error(fitted) < 0.5 * error(pruned)), int((fitted.state_dict()["weight"] == 0).sum())
    (True, 1024)
    """
    for name, model in (("original", original), ("compressed", compressed)):
        if not isinstance(model, Model):
            raise TypeError(f"{name}: expected a paring.nn.Model, got {type(model).__name__}")
    damping = check_number(damping, "damping", least=0)
    if not isinstance(match, str):
        raise TypeError(f"match: expected a glob, got {type(match).__name__}")
    if not isinstance(reselect, bool):
        raise TypeError(f"reselect: expected True or False, got {type(reselect).__name__}")
    _check_same_layers(original.graph, compressed.graph)
    fitted = compressed.copy()
    layers = [
        layer
        for layer in _find_layers(original.graph)
        if fnmatchcase(layer.weight, match) and _differs(original.graph, compressed.graph, layer.weight)
    ]
    if not layers:
        raise ValueError(
            f"match: expected weights of dense layers or convolutions that were changed, got none for {match!r}"
        )
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    batches = list(take_batches((given, None), original.graph, batch_size, None, "inputs").epoch(0))
    walks = [(Walk(original.graph, batch.inputs), Walk(fitted.graph, batch.inputs)) for batch in batches]
    for layer in layers:
        full = original.graph.initializers[layer.weight] if reselect else None
        _fit_layer(layer, walks, fitted.graph, damping, full)
    return fitted


def _check_same_layers(original: Graph, compressed: Graph) -> None:
    if (original.nodes, original.inputs, original.outputs) != (
        compressed.nodes,
        compressed.inputs,
        compressed.outputs,
    ):
        raise ValueError("compressed: expected a model of the same layers as the original, got another graph")
    for name, weight in original.initializers.items():
        other = compressed.initializers.get(name)
        if other is None or other.shape != weight.shape:
            got = "none" if other is None else f"shape {other.shape}"
            raise ValueError(f"compressed: expected {name!r} of shape {weight.shape}, got {got}")


def _find_layers(graph: Graph) -> list[Layer]:
    """Return the products with a weight and the convolutions; of a weight that several nodes use, none."""
    users = consumers(graph.nodes)
    turned = {
        node.outputs[0]: node.inputs[0]
        for node in graph.nodes
        if node.op == "Transpose" and node.attributes.get("perm", (1, 0)) == (1, 0)
    }
    found = []
    for place, node in enumerate(graph.nodes):
        convolves = node.op == "Conv" and node.attributes.get("group", 1) == 1
        if not convolves and not is_plain_product(node):
            continue
        weight = turned.get(node.inputs[1], node.inputs[1])
        if node.inputs[0] in graph.initializers or weight not in graph.initializers:
            continue
        shape = graph.initializers[weight].shape
        if (
            len(users[weight]) != 1
            or len(users[node.inputs[1]]) != 1
            or len(shape) != (4 if convolves else 2)
        ):
            continue
        bias = (*node.inputs, "")[2]
        after = only_consumer(graph, users, node.outputs[0])
        if not bias and after is not None and after.op == "Add":
            others = [name for name in after.inputs if name != node.outputs[0]]
            bias = others[0] if len(others) == 1 else ""
        channels = (
            shape[0]
            if convolves or node.attributes.get("transB", 0) or weight in turned.values()
            else shape[1]
        )
        array = graph.initializers.get(bias)
        own = isinstance(array, np.ndarray) and array.shape == (channels,) and len(users[bias]) == 1
        lies_turned = not convolves and not node.attributes.get("transB", 0) and weight == node.inputs[1]
        found.append(Layer(place, node, weight, lies_turned, bias if own else ""))
    return found


def _differs(original: Graph, compressed: Graph, name: str) -> bool:
    before, after = original.initializers[name], compressed.initializers[name]
    if not isinstance(before, np.ndarray):
        return False
    return not isinstance(after, np.ndarray) or not np.array_equal(before, after)


def _fit_layer(
    layer: Layer, walks: Sequence[tuple[Walk, Walk]], graph: Graph, damping: float, full: Weight | None
) -> None:
    """Bring both models to a layer, fit its weight in the graph, and give it to the walks that go on with it."""
    moments = Moments(centered=bool(layer.bias))
    x_name, y_name = layer.node.inputs[0], layer.node.outputs[0]
    for theirs, own in walks:
        theirs.run_until(layer.place)
        own.run_until(layer.place)
        inputs = own.array(x_name)
        theirs.run_until(layer.place + 1)
        moments.add(layer.node, inputs, theirs.array(y_name), graph.initializers[layer.weight].shape)
    if not moments.finite:
        raise ValueError(
            f"{layer.node}: expected finite values, got NaN or infinity on the way to {layer.weight!r}"
        )
    weight = graph.initializers[layer.weight]
    fitted, rows = _fit_weight(weight, layer.turned, moments, damping, full)
    changed: dict[str, Weight] = {layer.weight: fitted}
    if layer.bias:
        before: Any = graph.initializers[layer.bias]
        own_bias = layer.bias in layer.node.inputs
        shift = (
            moments.mean_y - rows @ moments.mean_x
        )  # y had the original's bias in it, if it is the node's own
        changed[layer.bias] = (shift if own_bias else before + shift).astype(before.dtype)
    graph.initializers.update(changed)
    _replace_values(graph, changed, walks, layer)


def _replace_values(
    graph: Graph, changed: Mapping[str, Weight], walks: Sequence[tuple[Walk, Walk]], layer: Layer
) -> None:
    values = dict(changed)
    if layer.node.inputs[1] not in graph.initializers:  # transposed on the way, before this place
        weight = changed[layer.weight]
        values[layer.node.inputs[1]] = (weight if isinstance(weight, np.ndarray) else weight.dense()).T
    for _, own in walks:
        own.values.update({name: value for name, value in values.items() if name in own.values})


def _fit_weight(
    weight: Weight, turned: bool, moments: Moments, damping: float, full: Weight | None
) -> tuple[Weight, Array]:
    """Return the fitted weight, and its rows as float64 (channels, columns).

    `full` is the original of a pruned array whose zeros are chosen anew.
    """

    def rows_of(values: Array) -> Array:
        return (values.T if turned else values.reshape(len(values), -1)).astype(np.float64)

    if isinstance(weight, QuantizedWeight):
        rows = rows_of(weight.dense())
        factors = fit_scale(rows, moments, alike=weight.granularity == "tensor")
        by_channel = factors if weight.granularity != "tensor" else factors[:1]
        if weight.axis != (1 if turned else 0):
            by_channel = factors[:1] * 0 + 1  # scales lie along what goes in: they stay
        scale = (weight.scale * by_channel[:, None]).astype(np.float32)
        fitted: Weight = replace(weight, scale=scale)
    elif isinstance(weight, SparseWeight):
        if weight.scale is not None:
            factors = fit_scale(rows_of(weight.dense()), moments, alike=False)
            fitted = replace(
                weight, scale=(weight.scale * factors.reshape(weight.scale.shape)).astype(np.float32)
            )
        else:
            fitted = _fit_sparse(weight, turned, moments, damping)
    else:
        if isinstance(full, np.ndarray):
            rows = reselect_rows(rows_of(full), float(np.mean(weight == 0)), moments, damping)
        else:
            rows = fit_rows(rows_of(weight), moments, damping)
        fitted = np.ascontiguousarray(rows.T if turned else rows).reshape(weight.shape).astype(weight.dtype)
    dense = fitted if isinstance(fitted, np.ndarray) else fitted.dense()
    return fitted, rows_of(dense)


def _fit_sparse(weight: SparseWeight, turned: bool, moments: Moments, damping: float) -> SparseWeight:
    dense = weight.dense()
    rows = (dense.T if turned else dense.reshape(len(dense), -1)).astype(np.float64)
    found = fit_rows(rows, moments, damping)
    # As CSR lists them: row by row of the axis that it has as rows.
    whole = (found.T if turned else found).reshape(weight.shape)
    matrix = np.moveaxis(whole, weight.axis, 0).reshape(weight.rows, -1)
    owners = np.repeat(np.arange(weight.rows), np.diff(weight.indptr))
    return replace(weight, data=matrix[owners, weight.indices].astype(np.float32))
