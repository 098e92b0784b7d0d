"""Compression of all weights of a model by a recipe."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..weights import Weight
from .application import apply_plan, find_global_cuts
from .plans import make_plans
from .recipe_sources import RecipeLike, as_recipe
from .report import Report, ReportRow
from .sources import open_source
from .trained import trained_recipe

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
    recipe: RecipeLike | None = None,
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
        "0", "1", ... in the order of that list, and output channels lie on the last axis. A `paring.nn.Model` that
        `paring.training.fake_quantize` made gives exactly the integers and scales it was trained with.
    recipe : Recipe, str or path, optional
        What to do with which weights: a recipe, the name of a preset (`Recipe.preset`), or the path of a
        ``.toml`` file (`Recipe.from_toml`). By default symmetric int8 with a scale an output channel for every
        float weight of two or more axes and 1,024 or more elements; of a model that was trained quantized, what was
        trained and nothing else.
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
    OSError
        If a file cannot be read.
    ValueError
        If there is no such preset, a file does not hold what it should (FormatError), a pattern of the recipe
        matches no weight, steps for one weight contradict each other or what it was trained for, or a weight
        holds NaN or infinity.
        Nothing that came in has been changed.

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
    source = open_source(weights)
    recipe = trained_recipe(source.trained) if recipe is None and source.trained else as_recipe(recipe)
    plans = make_plans(source, recipe)
    cuts = find_global_cuts(source, plans)
    results: dict[str, Weight] = {}
    rows: list[ReportRow] = []
    dtypes: dict[str, np.dtype[Any]] = {}
    for done, plan in enumerate(plans, 1):
        weight = source.fetch(plan.name)
        result, row = apply_plan(plan, weight, cuts.get(plan.name), source.trained.get(plan.name))
        if result is weight and isinstance(weight, np.ndarray) and source.live:
            result = weight.copy()
        results[plan.name] = result
        rows.append(row)
        dtypes[plan.name] = weight.dtype if isinstance(weight, np.ndarray) else np.dtype(np.float32)
        if progress is not None:
            progress(done, len(plans), plan.name)
    return Compressed(results, Report(tuple(rows)), dtypes, source.metadata)
