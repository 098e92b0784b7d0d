"""One step of a rule of the optimizer kernels in float64 NumPy: formula and order of csrc/optimizers/rules.h."""

import numpy as np

NEUTRAL = {
    "gradient_factor": 1.0,
    "gradient_limit": np.inf,
    "coupled_decay": 0.0,
    "decay": 0.0,
    "threshold": 0.0,
    "shrink": 0.0,
    "rate": 0.0,
    "momentum": 0.0,
    "fresh": 0.0,
    "direct": 0.0,
    "first_share": 0.0,
    "second_share": 0.0,
    "epsilon": 0.0,
}

# How many slots each rule has.
RULES = {
    "gradient": 0,
    "momentum": 1,
    "adagrad": 1,
    "rmsprop": 1,
    "rmsprop_momentum": 2,
    "rmsprop_centered": 2,
    "rmsprop_centered_momentum": 3,
    "adam": 2,
    "adam_largest": 3,
}


def is_approximate(rule, numbers, dtype):
    """Whether the kernel computes this in float32, near the formula and not equal to it."""
    extras = ("gradient_factor", "gradient_limit", "coupled_decay", "threshold", "shrink")
    return (
        dtype == np.float32
        and rule == "adam"
        and all(numbers.get(k, NEUTRAL[k]) == NEUTRAL[k] for k in extras)
    )


def kernel_step(rule, numbers, weight, gradient, slots, mask=None):
    """Return the weight, the slots and the update after one step, all in float64 and not yet rounded."""
    k = {**NEUTRAL, **numbers}
    w, g = weight.astype(np.float64), gradient.astype(np.float64)
    old = [slot.astype(np.float64) for slot in slots]
    new = list(old)

    def mean(old, x, share):
        return (1 - share) * old + share * x

    x = k["gradient_factor"] * g
    x = np.where(x > k["gradient_limit"], k["gradient_limit"], x)
    x = np.where(x < -k["gradient_limit"], -k["gradient_limit"], x)
    x = x + k["coupled_decay"] * w
    if rule == "gradient":
        update = k["rate"] * x
    elif rule == "momentum":
        new[0] = k["momentum"] * old[0] + k["fresh"] * x
        update = k["rate"] * new[0] + k["direct"] * x
    elif rule == "adagrad":
        new[0] = old[0] + x * x
        update = k["rate"] * (x / (np.sqrt(new[0]) + k["epsilon"]))
    elif rule.startswith("rmsprop"):
        variance = new[0] = mean(old[0], x * x, k["second_share"])
        if "centered" in rule:
            new[1] = mean(old[1], x, k["second_share"])
            variance = variance - new[1] * new[1]
            variance = np.where(variance < 0, 0, variance)
        update = x / (np.sqrt(variance) + k["epsilon"])
        if rule.endswith("momentum"):
            update = new[-1] = k["momentum"] * old[-1] + update
        update = k["rate"] * update
    else:
        new[0] = mean(old[0], x, k["first_share"])
        square = new[1] = mean(old[1], x * x, k["second_share"])
        if rule == "adam_largest":
            square = new[2] = np.maximum(old[2], square)
        update = k["rate"] * (new[0] / (np.sqrt(square) + k["epsilon"]))
    to = (1 - k["decay"]) * w - update
    beyond = np.abs(to) - k["threshold"]
    to = (1 - k["shrink"]) * np.where(beyond <= 0, 0.0, np.copysign(beyond, to))
    if mask is not None:
        gone = np.asarray(mask) == 0
        to = np.where(gone, 0.0, to)
        new = [np.where(gone, 0.0, slot) for slot in new]
    return to, new, update
