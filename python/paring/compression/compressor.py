"""Compression of all weights of a model by a recipe."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..weights import QuantizedWeight, SparseWeight, Weight
from .forms import choose_form, dense_zeros_note, form_name
from .loss import measure_loss, zero_share
from .plans import Plan, make_plans
from .pruning import prune
from .recipe import DEFAULT_RECIPE, PruneStep, Recipe
from .report import Action, Report, ReportRow
from .sources import Source, open_source

__all__ = ["Compressed", "Progress", "compress"]

Progress = Callable[[int, int, str], object]
"""Called as ``progress(done, total, name)`` when a weight is done."""


class Compressed(Mapping[str, Weight]):
    """The weights that `paring.compress` gives: a mapping of names to weights, as `paring.write` takes it.

    Attributes
    ----------
    report : Report
        What was done to every weight, and what it cost.
    metadata : dict of str to str
        Text that came with the weights, if they were read from a file.
    """

    def __init__(
        self,
        weights: Mapping[str, Weight],
        report: Report,
        dtypes: Mapping[str, np.dtype[Any]],
        metadata: Mapping[str, str],
    ) -> None:
        self._weights = dict(weights)
        self._dtypes = dict(dtypes)
        self.report = report
        self.metadata = dict(metadata)

    def __getitem__(self, name: str) -> Weight:
        return self._weights[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)

    # Mapping compares values, which for arrays is no truth value.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        report = self.report
        changed = sum(not row.kept for row in report.rows)
        return (
            f"<{type(self).__name__}: {len(self)} weights, {changed} of them compressed, "
            f"{report.bytes_before:,} -> {report.bytes_after:,} bytes>"
        )

    def dense_list(self) -> list[npt.NDArray[Any]]:
        """Return all weights in order as arrays of their original dtypes: what Keras' ``set_weights`` takes.

        Examples
        --------
        >>> import numpy as np, paring
        >>> compressed = paring.compress({"kernel": np.eye(64, dtype=np.float16), "bias": np.ones(64)})
        >>> [(array.shape, str(array.dtype)) for array in compressed.dense_list()]
        [((64, 64), 'float16'), ((64,), 'float64')]
        """
        return [
            weight
            if isinstance(weight, np.ndarray)
            else weight.dense().astype(self._dtypes[name], copy=False)
            for name, weight in self._weights.items()
        ]


def compress(
    weights: Mapping[str, Weight] | str | os.PathLike[str] | Any,
    recipe: Recipe | None = None,
    *,
    progress: Progress | None = None,
) -> Compressed:
    """Prune, quantize and sparsify the weights of a model, and report what that cost.

    No weight gets bigger by it: a form that would cost more bytes than it saves, names and headers included, is
    refused, and the report shows the arithmetic. (Bytes are those of uncompressed files: a source that zip has
    deflated may be smaller than any.) What the recipe does not touch stays bit for bit.

    Parameters
    ----------
    weights : mapping, path, or model
        A mapping of names to arrays (of NumPy, or tensors), such as `paring.read` gives; weights that are
        compressed already pass through. A path that `paring.read` can read. Anything with ``state_dict()``,
        such as a PyTorch module. Anything with ``get_weights()``, such as a Keras model: names are then
        "0", "1", ... in the order of that list, and output channels lie on the last axis.
    recipe : Recipe, optional
        What to do with which weights. By default symmetric int8 with a scale an output channel for every
        float weight of two or more axes and 1,024 or more elements.
    progress : callable, optional
        Called as ``progress(done, total, name)`` when a weight is done.

    Returns
    -------
    Compressed
        A mapping in the same order, with the ``report``. It may share the memory of arrays that it keeps,
        save those of a model.

    Raises
    ------
    TypeError
        If `weights` or `recipe` is of another kind, or one of the weights is no array.
    ValueError
        If a pattern of the recipe matches no weight, steps for one weight contradict each other, or a weight
        holds NaN or infinity. Nothing that came in has been changed.

    Examples
    --------
    >>> import numpy as np, paring
    >>> rng = np.random.default_rng(0)
    >>> weights = {
    ...     "fc.weight": rng.standard_normal((64, 128), np.float32),
    ...     "fc.bias": np.zeros(64, np.float32),
    ... }
    >>> compressed = paring.compress(weights)
    >>> compressed
    <Compressed: 2 weights, 1 of them compressed, 33,024 -> 8,704 bytes>
    >>> row = compressed.report["fc.weight"]
    >>> row.form, row.bits_per_weight, round(row.sqnr_db)
    ('int8 channel', 8.25, 44)
    >>> recipe = paring.Recipe([paring.PruneStep(sparsity=0.9), paring.SparsifyStep()])
    >>> paring.compress(weights, recipe)["fc.weight"].nnz
    819
    """
    if recipe is None:
        recipe = DEFAULT_RECIPE
    if not isinstance(recipe, Recipe):
        raise TypeError(f"recipe: expected a Recipe, got {type(recipe).__name__}")
    source = open_source(weights)
    plans = make_plans(source, recipe)
    pruned = _prune_globally(source, plans)
    results: dict[str, Weight] = {}
    rows: list[ReportRow] = []
    dtypes: dict[str, np.dtype[Any]] = {}
    for done, plan in enumerate(plans, 1):
        weight = source.fetch(plan.name)
        result, row = _apply(plan, weight, pruned.pop(plan.name, None))
        if result is weight and isinstance(weight, np.ndarray) and source.live:
            result = weight.copy()
        results[plan.name] = result
        rows.append(row)
        dtypes[plan.name] = weight.dtype if isinstance(weight, np.ndarray) else np.dtype(np.float32)
        if progress is not None:
            progress(done, len(plans), plan.name)
    return Compressed(results, Report(tuple(rows)), dtypes, source.metadata)


def _prune_globally(source: Source, plans: list[Plan]) -> dict[str, npt.NDArray[Any]]:
    """Return the weights that a step of scope "global" prunes, pruned; they are in memory all at once."""
    groups: dict[PruneStep, list[str]] = {}
    for plan in plans:
        if plan.prune is not None and plan.prune.scope == "global":
            groups.setdefault(plan.prune, []).append(plan.name)
    pruned: dict[str, npt.NDArray[Any]] = {}
    for step, names in groups.items():
        arrays: dict[str, Any] = {name: source.fetch(name) for name in names}
        pruned.update(prune(arrays, scope="global", **step.arguments))
    return pruned


def _apply(plan: Plan, weight: Weight, pruned: npt.NDArray[Any] | None) -> tuple[Weight, ReportRow]:
    """Return a weight as its plan wants it, and its row. `pruned` is given if that was done before."""
    if not isinstance(weight, np.ndarray) or plan.reason:
        return weight, _kept_row(plan.name, weight, plan.reason)
    try:
        if plan.prune is not None and pruned is None:
            # N:M runs along what feeds an output channel: channels go first, and back.
            axis = 0 if plan.prune.structure is None else plan.axis
            moved = prune({plan.name: np.moveaxis(weight, axis, 0)}, **plan.prune.arguments)[plan.name]
            pruned = np.ascontiguousarray(np.moveaxis(moved, 0, axis))
        array = weight if pruned is None else pruned
        choice = choose_form(plan.name, array, plan.quantize, plan.axis, plan.sparse)
    except ValueError as error:
        raise ValueError(f"{error}; skip=[{plan.name!r}] in the recipe leaves this weight alone") from error
    result = choice.weight
    notes = list(choice.refusals)
    if result is weight:
        return weight, _kept_row(plan.name, weight, "; ".join(notes))
    if isinstance(result, np.ndarray) and not notes:
        notes.append(dense_zeros_note(result))
    dense = result if isinstance(result, np.ndarray) else result.dense()
    loss = measure_loss(weight, dense)
    return result, ReportRow(
        name=plan.name,
        shape=weight.shape,
        dtype=str(weight.dtype),
        form=form_name(result),
        actions=_actions(result, pruned is not None),
        reason="; ".join(notes),
        bytes_before=weight.nbytes,
        bytes_after=result.nbytes,
        sparsity=zero_share(dense),
        max_error=loss.max_error,
        mean_error=loss.mean_error,
        sqnr_db=loss.sqnr_db,
    )


def _actions(result: Weight, pruned: bool) -> tuple[Action, ...]:
    actions: list[Action] = ["pruned"] if pruned else []
    if isinstance(result, QuantizedWeight) or (isinstance(result, SparseWeight) and result.scale is not None):
        actions.append("quantized")
    if isinstance(result, SparseWeight):
        actions.append("sparsified")
    return tuple(actions)


def _kept_row(name: str, weight: Weight, reason: str) -> ReportRow:
    plain = isinstance(weight, np.ndarray)
    dense = weight if isinstance(weight, np.ndarray) else weight.dense()
    match weight:
        case QuantizedWeight(bits=bits):
            dtype = f"int{bits}"
        case SparseWeight(data=data):
            dtype = str(data.dtype)
        case _:
            dtype = str(weight.dtype)
    return ReportRow(
        name=name,
        shape=weight.shape,
        dtype=dtype,
        form=form_name(weight),
        actions=("kept",),
        reason=reason,
        bytes_before=weight.nbytes,
        bytes_after=weight.nbytes,
        sparsity=zero_share(dense),
        max_error=0.0 if plain else None,
        mean_error=0.0 if plain else None,
        sqnr_db=math.inf if plain else None,
    )
