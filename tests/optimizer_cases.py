"""Options of every optimizer, PyTorch's words for them, and the textbook's step in float64."""

import numpy as np

from paring.training.optimizers import OPTIMIZERS

SGD, Adagrad, RMSprop, Adam, AdamW = OPTIMIZERS

# (class, our options, PyTorch's class, its options). A class of OPTIMIZERS without a case fails a test.
CASES = [
    (SGD, {}, "SGD", {}),
    (SGD, {"weight_decay": 0.1}, "SGD", {"weight_decay": 0.1}),
    (SGD, {"momentum": 0.9, "form": "pytorch"}, "SGD", {"momentum": 0.9}),
    (
        SGD,
        {"momentum": 0.9, "form": "pytorch", "dampening": 0.5, "weight_decay": 0.01},
        "SGD",
        {"momentum": 0.9, "dampening": 0.5, "weight_decay": 0.01},
    ),
    (
        SGD,
        {"momentum": 0.8, "form": "pytorch", "nesterov": True, "weight_decay": 0.01, "maximize": True},
        "SGD",
        {"momentum": 0.8, "nesterov": True, "weight_decay": 0.01, "maximize": True},
    ),
    (Adagrad, {}, "Adagrad", {}),
    (Adagrad, {"maximize": True}, "Adagrad", {"maximize": True}),
    *[
        (cls, options, cls.__name__, options)
        for cls, options in [
            (Adagrad, {"lr_decay": 0.1, "initial_accumulator_value": 0.1, "weight_decay": 0.1, "eps": 1e-4}),
            (RMSprop, {}),
            (RMSprop, {"alpha": 0.9, "eps": 1e-4, "weight_decay": 0.1}),
            (RMSprop, {"momentum": 0.9, "maximize": True}),
            (RMSprop, {"centered": True}),
            (RMSprop, {"alpha": 0.9, "momentum": 0.9, "centered": True, "weight_decay": 0.01}),
            (Adam, {}),
            (Adam, {"betas": (0.8, 0.99), "eps": 1e-4, "weight_decay": 0.1}),
            (Adam, {"amsgrad": True, "weight_decay": 0.01, "maximize": True}),
            (Adam, {"betas": (0.0, 0.0)}),
            (AdamW, {}),
            (AdamW, {"weight_decay": 0.2, "amsgrad": True}),
            (AdamW, {"maximize": True, "betas": (0.5, 0.9)}),
        ]
    ],
    (
        Adam,
        {"weight_decay": 0.1, "decoupled": True},
        "Adam",
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
    ),
]


def case_id(case):
    cls, options, *_ = case
    return cls.__name__ + "".join(f"-{k}={v}" for k, v in options.items())


def soft_threshold(w, threshold):
    return np.sign(w) * np.maximum(np.abs(w) - threshold, 0)


class Textbook:
    """Steps on one float64 array with the formulas as they are usually printed; t counts from 1."""

    def __init__(self, optimizer, w):
        self.o, self.w, self.t = optimizer, w.astype(np.float64), 0
        zeros = np.zeros_like(self.w)
        self.b, self.m, self.largest, self.mean = zeros, zeros, zeros, zeros
        start = optimizer.initial_accumulator_value if isinstance(optimizer, Adagrad) else 0.0
        self.v = zeros + start

    def step(self, g, rate=None):
        o, self.t = self.o, self.t + 1
        rate = o.learning_rate if rate is None else rate
        g = -g if o.maximize else g
        if isinstance(o, Adagrad):
            rate = rate / (1 + (self.t - 1) * o.lr_decay)
        if o.decoupled:
            self.w = self.w - rate * o.weight_decay * self.w
        else:
            g = g + o.weight_decay * self.w
        self.w = self.w - self.update(g, rate)

    def update(self, g, rate):
        o = self.o
        if isinstance(o, SGD):
            if not o.momentum:
                return rate * g
            if o.form == "classic":
                self.b = o.momentum * self.b + rate * g
                return o.momentum * self.b + rate * g if o.nesterov else self.b
            self.b = g if self.t == 1 else o.momentum * self.b + (1 - o.dampening) * g
            return rate * (g + o.momentum * self.b if o.nesterov else self.b)
        if isinstance(o, Adagrad):
            self.v = self.v + g**2
            return rate * g / (np.sqrt(self.v) + o.eps)
        if isinstance(o, RMSprop):
            self.v = o.alpha * self.v + (1 - o.alpha) * g**2
            self.mean = o.alpha * self.mean + (1 - o.alpha) * g
            variance = np.maximum(self.v - self.mean**2, 0) if o.centered else self.v
            step = g / (np.sqrt(variance) + o.eps)
            self.b = o.momentum * self.b + step
            return rate * self.b
        b1, b2 = o.betas
        self.m = b1 * self.m + (1 - b1) * g
        self.v = b2 * self.v + (1 - b2) * g**2
        self.largest = np.maximum(self.largest, self.v)
        top = self.largest if o.amsgrad else self.v
        return rate * (self.m / (1 - b1**self.t)) / (np.sqrt(top / (1 - b2**self.t)) + o.eps)
