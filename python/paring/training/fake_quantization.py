"""Training with weights rounded to integers: what is trained is what is stored."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..compression.plans import Plan, make_plans
from ..compression.recipe import QuantizeStep
from ..compression.recipe_sources import RecipeLike, as_recipe
from ..compression.sources import open_source
from ..graph.passes.fake_quantization import LearnedRange, PairSettings
from ..graph.passes.pairs import find_pairs
from ..nn.model import Model

__all__ = ["fake_quantize"]

Array = npt.NDArray[Any]
STEP_SUFFIX = "_scale_step"


def fake_quantize(
    model: Model,
    recipe: RecipeLike | None = None,
    *,
    ranges: Literal["observed", "learned"] = "observed",
    activations: bool = True,
) -> Model:
    """Return a model to train whose weights are rounded to integers wherever they are used.

    Pairs of QuantizeLinear and DequantizeLinear stand behind the weights that the recipe quantizes; gradients go
    straight through the rounding (and stop at weights beyond the range), so that `fit` moves the float weights behind
    the integers. `paring.compress` of the trained model, or its ``compress()``, gives exactly the integers and scales
    it was trained with, and `Session` runs them.

    Parameters
    ----------
    model : Model
        Of float32; it is copied.
    recipe : Recipe, str or path, optional
        As for `paring.compress`: of its steps those that quantize count here. By default int8 with a scale a channel.
    ranges : {"observed", "learned"}
        "observed": the scale follows the weight, as `paring.quantize` computes it. "learned": it is a weight of its
        own, named ``<weight>_scale_step``, which starts as LSQ has it, ``2 * mean|w| / sqrt(highest code)``, and is
        trained with LSQ's gradient (Esser et al. 2020, arXiv 1902.08153, section 2). It stays above zero, for it is
        the start times ``t + sqrt(1 + t**2)``, where t is what is trained. Better for few bits; only for symmetric
        steps.
    activations : bool
        Whether dense layers, and convolutions with 1,024 numbers a filter or more, run on the integer kernels already,
        which round what goes into them row by row and window by window. (`Session` runs smaller filters in float32.)

    Returns
    -------
    Model
        Of the same inputs, outputs and names of weights; masks, checkpoints and files work as with any other.

    Raises
    ------
    TypeError, ValueError
        If `model` is none of float32, or is rounded already; if the recipe quantizes nothing, prunes, has an `axis`
        other than 0, or a convention whose rounding cannot be trained.

    Notes
    -----
    Straight through: Bengio, Leonard, Courville 2013, arXiv 1308.3432, section 4; in networks for integer arithmetic:
    Jacob et al. 2018, arXiv 1712.05877, section 3.

    Examples
    --------
    >>> import numpy as np, paring
    >>> from paring import nn
    >>> from paring.training import Adam, MeanSquaredError, fit
    >>> x = np.random.default_rng(0).standard_normal((256, 32)).astype(np.float32)
    >>> model = nn.Model(nn.Linear(32, 32), (None, 32))
    >>> rounded = fake_quantize(model, paring.Recipe([paring.QuantizeStep(bits=4)]), ranges="learned")
    >>> history = fit(rounded, (x, x[:, ::-1].copy()), loss=MeanSquaredError(), optimizer=Adam(0.01), epochs=20)
    >>> small = rounded.compress()
    >>> small.report["weight"].form
    'int4 channel'
    >>> bool(np.allclose(paring.Session(small)(x), rounded(x), atol=1e-4))
    True
    """
    if not isinstance(model, Model):
        raise TypeError(f"model: expected a paring.nn.Model, got {type(model).__name__}")
    if model.dtype != np.float32:
        raise ValueError(f"model: expected one of float32, got {model.dtype}")
    if find_pairs(model.graph):
        raise ValueError(
            "model: expected one whose weights are not rounded already: model.without_rounding()"
        )
    if ranges not in ("observed", "learned"):
        raise ValueError(f"ranges: expected 'observed' or 'learned', got {ranges!r}")
    if not isinstance(activations, bool):
        raise TypeError(f"activations: expected True or False, got {type(activations).__name__}")
    state = model.state_dict()
    settings = {}
    for plan in make_plans(open_source(model), as_recipe(recipe)):
        if plan.prune is not None:
            raise ValueError(
                "recipe: expected no PruneStep: prune the model first, and train it with masks='zeros'"
            )
        weight = state[plan.name]
        if plan.quantize is not None and not plan.reason and isinstance(weight, np.ndarray):
            settings[plan.name] = _settings_for(plan, plan.quantize, weight, ranges == "learned")
    if not settings:
        raise ValueError("recipe: expected a QuantizeStep for at least one weight, got none that applies")
    for setting in settings.values():
        if setting.learned is not None and setting.learned.step in model.graph.initializers:
            raise ValueError(f"model: expected no weight named {setting.learned.step!r}, which a scale needs")
    return model.with_rounding(settings, activations)


def _settings_for(plan: Plan, step: QuantizeStep, weight: Array, learned: bool) -> PairSettings:
    if plan.axis != 0:
        raise ValueError(f"{plan.name!r}: expected output channels on axis 0, got axis {plan.axis}")
    if step.convention == "gguf" or (step.convention != "paring" and not step.symmetric):
        raise ValueError(
            f"{plan.name!r}: expected convention 'paring', or 'compressed-tensors' if symmetric: rounding by "
            f"{step.convention!r} cannot be trained"
        )
    if not learned:
        return PairSettings(step.bits, step.granularity, step.group_size, step.symmetric, step.convention)
    if not step.symmetric:
        raise ValueError(f"{plan.name!r}: expected a symmetric QuantizeStep for learned ranges")
    setting = PairSettings(step.bits, step.granularity, step.group_size)
    start = _first_scale(weight, setting)
    return PairSettings(
        step.bits, step.granularity, step.group_size, learned=LearnedRange(start, plan.name + STEP_SUFFIX)
    )


def _first_scale(weight: Array, setting: PairSettings) -> Array:
    """Return ``2 * mean|w| / sqrt(highest code)`` of the weights that share a scale; 1 where all are zero."""
    shape = setting.scale_shape(weight.shape)
    magnitude = np.abs(weight.reshape(weight.shape[0], -1).astype(np.float64))
    if setting.granularity == "tensor":
        means = magnitude.mean()
    elif setting.granularity == "channel":
        means = magnitude.mean(axis=1)
    else:
        starts = np.arange(0, magnitude.shape[1], setting.group_size)
        counts = np.diff([*starts, magnitude.shape[1]])
        means = np.add.reduceat(magnitude, starts, axis=1) / counts
    scale = (2 * means / math.sqrt(setting.codes[1])).astype(np.float32)
    result: Array = np.where(scale < np.finfo(np.float32).tiny, np.float32(1), scale).reshape(shape)
    return result
