"""Optimizers: options that make a state and take steps on any mapping of names to arrays.

One pass of a C++ kernel over each weight does all of a step, the sparsity mask included. Numbers are PyTorch's where
its are sound; docstrings say where ours differ. float32 weights get the float64 result of a step, rounded once; `Adam`
without clipping, coupled decay and regularizers is within 4 units in the last place of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from ..number_checks import Rate, check_flag, check_number
from .base import Optimizer, StepRecord
from .states import OptimizerState

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Optimizer",
    "OptimizerState",
    "RMSprop",
    "StepRecord",
]

# Below this, a float32 gradient of zero could meet a divisor that is zero in float32: 0 / 0.
LEAST_EPSILON = 1e-30


@dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent, with momentum in either of its two forms.

    "classic" has the learning rate inside the velocity (also Keras's form), "pytorch" outside the buffer:

    - classic: ``v = momentum * v + rate * g; w = w - v``
    - pytorch: ``b = momentum * b + (1 - dampening) * g; w = w - rate * b``, but ``b = g`` at the first step

    They agree while the rate stays and part when it changes; `convert_momentum` goes from one to the other.
    With `nesterov`, ``w`` moves by ``momentum * v + rate * g`` or ``rate * (g + momentum * b)``.

    Parameters
    ----------
    learning_rate : float or callable
        Above 0; or a function of the number of steps done before, such as a schedule, whose answers must be finite
        and at least 0.
    momentum : float
        From 0 up to, but not including, 1. With 0 there is no state.
    form : {"classic", "pytorch"}
        "classic" unless said otherwise.
    dampening : float
        From 0 to below 1, for "pytorch" without `nesterov` only.
    nesterov : bool
        Needs a momentum.
    weight_decay : float
        Coupled: ``g = g + weight_decay * w`` before all else. Decoupled: ``w = w - rate * weight_decay * w``.
    decoupled : bool
        Which of the two.
    maximize : bool
        Go uphill.
    clip : ClipByGlobalNorm, ClipByNorm or ClipByValue, optional
    regularizers : list of L1, L2, ElasticNet or GroupLasso
        Proximal steps after the update.
    groups : list of ParameterGroup
        Other settings for some weights, by name.

    Examples
    --------
    >>> import numpy as np
    >>> weights = {"w": np.array([1.0, -2.0])}
    >>> optimizer = SGD(0.1, momentum=0.9)
    >>> state = optimizer.init(weights)
    >>> optimizer.step(weights, {"w": np.array([1.0, 0.0])}, state, masks={"w": np.array([True, False])})
    StepRecord(step=1, learning_rate=0.1, gradient_norm=None)
    >>> weights
    {'w': array([0.9, 0. ])}
    """

    momentum: float = 0.0
    form: Literal["classic", "pytorch"] = "classic"
    dampening: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set("momentum", check_number(self.momentum, "momentum", least=0, below=1))
        if self.form not in ("classic", "pytorch"):
            raise ValueError(f"form: expected 'classic' or 'pytorch', got {self.form!r}")
        self._set("dampening", check_number(self.dampening, "dampening", least=0, below=1))
        self._set("nesterov", check_flag(self.nesterov, "nesterov"))
        if self.dampening and (self.form == "classic" or not self.momentum):
            raise ValueError(
                f"dampening: expected 0 without momentum of form 'pytorch', got {self.dampening}"
            )
        if self.nesterov and (not self.momentum or self.dampening):
            raise ValueError(
                f"nesterov: expected a momentum and no dampening, got momentum {self.momentum} and "
                f"dampening {self.dampening}"
            )

    @property
    def slots(self) -> tuple[str, ...]:
        if not self.momentum:
            return ()
        return ("velocity",) if self.form == "classic" else ("momentum_buffer",)

    @property
    def rule(self) -> str:
        return "momentum" if self.momentum else "gradient"

    def rule_numbers(self, rate: float, step: int) -> dict[str, float]:
        if not self.momentum:
            return {"rate": rate}
        direct = rate if self.nesterov else 0.0
        carried = self.momentum if self.nesterov else 1.0
        if self.form == "classic":
            return {"momentum": self.momentum, "fresh": rate, "rate": carried, "direct": direct}
        fresh = 1 - self.dampening if step else 1.0
        return {"momentum": self.momentum, "fresh": fresh, "rate": rate * carried, "direct": direct}


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """``s = s + g * g; w = w - rate * g / (sqrt(s) + eps)``, the rate divided by ``1 + step * lr_decay``.

    Differs from PyTorch's: `eps` is at least 1e-30, since 0 gives NaN at the first zero gradient. Keras and optax start
    with `initial_accumulator_value` 0.1. The rate with all that divides it is also that of decay and regularizers.

    Parameters
    ----------
    learning_rate : float or callable
    lr_decay, initial_accumulator_value : float
        At least 0.
    eps : float
    **options
        Those of `SGD` from `weight_decay` on.

    Examples
    --------
    >>> Adagrad(0.1).slots
    ('sum',)
    """

    learning_rate: Rate = 1e-2
    lr_decay: float = 0.0
    initial_accumulator_value: float = 0.0
    eps: float = 1e-10

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("lr_decay", "initial_accumulator_value"):
            self._set(name, check_number(getattr(self, name), name, least=0))
        self._set("eps", check_number(self.eps, "eps", least=LEAST_EPSILON))

    @property
    def slots(self) -> tuple[str, ...]:
        return ("sum",)

    @property
    def rule(self) -> str:
        return "adagrad"

    def slot_start(self, slot: str) -> float:
        return self.initial_accumulator_value

    def rule_numbers(self, rate: float, step: int) -> dict[str, float]:
        in_force = rate / (1 + step * self.lr_decay)
        return {"rate": in_force, "epsilon": self.eps, "rate_in_force": in_force}


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """``v = alpha * v + (1 - alpha) * g * g; w = w - rate * g / (sqrt(v) + eps)``.

    With `momentum` the quotient goes through ``b = momentum * b + quotient`` and ``w = w - rate * b``; `centered` takes
    the square of the gradient's mean off v. Differs from PyTorch's: that difference is never below 0 (there it turns
    NaN where gradients hardly change), and `eps` is at least 1e-30. Keras and optax have eps under the root.

    Parameters
    ----------
    learning_rate : float or callable
    alpha : float
        From 0 to below 1.
    eps : float
    momentum : float
        From 0 to below 1.
    centered : bool
    **options
        Those of `SGD` from `weight_decay` on.

    Examples
    --------
    >>> RMSprop(0.01, momentum=0.9, centered=True).slots
    ('square_avg', 'grad_avg', 'momentum_buffer')
    """

    learning_rate: Rate = 1e-2
    alpha: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0
    centered: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set("alpha", check_number(self.alpha, "alpha", least=0, below=1))
        self._set("eps", check_number(self.eps, "eps", least=LEAST_EPSILON))
        self._set("momentum", check_number(self.momentum, "momentum", least=0, below=1))
        self._set("centered", check_flag(self.centered, "centered"))

    @property
    def slots(self) -> tuple[str, ...]:
        center = ("grad_avg",) if self.centered else ()
        return ("square_avg", *center, "momentum_buffer") if self.momentum else ("square_avg", *center)

    @property
    def rule(self) -> str:
        return "rmsprop" + "_centered" * self.centered + "_momentum" * bool(self.momentum)

    def rule_numbers(self, rate: float, step: int) -> dict[str, float]:
        return {"rate": rate, "second_share": 1 - self.alpha, "epsilon": self.eps, "momentum": self.momentum}


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam: the mean of the gradient over the root of the mean of its square, both corrected for their start at 0.

    ``m = b1 * m + (1 - b1) * g; v = b2 * v + (1 - b2) * g * g;
    w = w - rate * (m / (1 - b1**t)) / (sqrt(v / (1 - b2**t)) + eps)``, t from 1.

    `eps` counts after the correction (Keras and scikit-learn: before, where it acts up to 32 times as strong), and
    `amsgrad` takes the largest v so far, not corrected, as PyTorch does. Differs from it: `eps` is at least 1e-30,
    since 0 gives NaN at the first zero gradient. `weight_decay` is coupled unless `decoupled`: see `AdamW`.

    Parameters
    ----------
    learning_rate : float or callable
    betas : pair of float
        Each from 0 to below 1.
    eps : float
    amsgrad : bool
    **options
        Those of `SGD` from `weight_decay` on.

    Examples
    --------
    >>> Adam(amsgrad=True).slots
    ('exp_avg', 'exp_avg_sq', 'max_exp_avg_sq')
    """

    learning_rate: Rate = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    amsgrad: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.betas, tuple | list) or len(self.betas) != 2:
            raise TypeError(f"betas: expected a pair of numbers, got {self.betas!r}")
        betas = tuple(check_number(b, f"betas[{i}]", least=0, below=1) for i, b in enumerate(self.betas))
        self._set("betas", betas)
        self._set("eps", check_number(self.eps, "eps", least=LEAST_EPSILON))
        self._set("amsgrad", check_flag(self.amsgrad, "amsgrad"))

    @property
    def slots(self) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if self.amsgrad else ("exp_avg", "exp_avg_sq")

    @property
    def rule(self) -> str:
        return "adam_largest" if self.amsgrad else "adam"

    def rule_numbers(self, rate: float, step: int) -> dict[str, float]:
        # Both corrections moved out of the quotient: into the rate and into epsilon.
        first, second = (1 - beta ** (step + 1) for beta in self.betas)
        root = math.sqrt(second)
        shares = {"first_share": 1 - self.betas[0], "second_share": 1 - self.betas[1]}
        return {"rate": rate / first * root, "epsilon": self.eps * root, **shares}


@dataclass(frozen=True)
class AdamW(Adam):
    """`Adam` with decoupled weight decay: ``w = w - rate * weight_decay * w`` beside the step.

    The default `weight_decay` is PyTorch's 0.01 (optax: 0.0001, Keras: 0.004).

    Examples
    --------
    >>> AdamW().weight_decay
    0.01
    """

    weight_decay: float = field(default=1e-2, kw_only=True)
    decoupled: bool = field(default=True, kw_only=True)


OPTIMIZERS: tuple[type[Optimizer], ...] = (SGD, Adagrad, RMSprop, Adam, AdamW)
