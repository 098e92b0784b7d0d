"""Layers beside the modules of PyTorch that they must equal: names and layouts of weights, and outputs."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from paring import nn


@dataclass(frozen=True)
class Case:
    layer: Any
    shape: tuple
    # torch -> module
    module: Any
    integers: int = 0  # below which, if the input is of integers

    def __str__(self):
        return f"{self.layer.summary()}{self.shape}".replace(" ", "")

    def array(self, dtype):
        rng = np.random.default_rng(3)
        if self.integers:
            return rng.integers(0, self.integers, self.shape)
        return rng.standard_normal(self.shape).astype(dtype)


def lenet_300_100():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
    )


def torch_lenet_300_100(torch):
    t = torch.nn
    return t.Sequential(
        t.Flatten(), t.Linear(784, 300), t.ReLU(), t.Linear(300, 100), t.ReLU(), t.Linear(100, 10)
    )


def lenet_5():
    """Caffe's shapes."""
    return nn.Sequential(
        {
            "features": nn.Sequential(
                nn.Conv2d(1, 20, 5), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.MaxPool2d(2)
            ),
            "flatten": nn.Flatten(),
            "classifier": nn.Sequential(nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10)),
        }
    )


def torch_lenet_5(torch):
    from collections import OrderedDict

    t = torch.nn
    features = t.Sequential(t.Conv2d(1, 20, 5), t.MaxPool2d(2), t.Conv2d(20, 50, 5), t.MaxPool2d(2))
    classifier = t.Sequential(t.Linear(800, 500), t.ReLU(), t.Linear(500, 10))
    return t.Sequential(OrderedDict(features=features, flatten=t.Flatten(), classifier=classifier))


def vgg_like():
    def block(before, after):
        return nn.Sequential(
            nn.Conv2d(before, after, 3, padding="same", bias=False), nn.BatchNorm2d(after), nn.ReLU()
        )

    return nn.Sequential(
        block(3, 8),
        block(8, 8),
        nn.MaxPool2d(2),
        block(8, 16),
        nn.MaxPool2d(2),
        nn.GlobalAvgPool2d(),
        nn.Flatten(),
        nn.Linear(16, 12),
        nn.BatchNorm1d(12),
        nn.SiLU(),
        nn.Dropout(0.3),
        nn.Linear(12, 10),
    )


def torch_vgg_like(torch):
    t = torch.nn

    def block(before, after):
        conv = t.Conv2d(before, after, 3, padding="same", bias=False)
        return t.Sequential(conv, t.BatchNorm2d(after), t.ReLU())

    return t.Sequential(
        block(3, 8),
        block(8, 8),
        t.MaxPool2d(2),
        block(8, 16),
        t.MaxPool2d(2),
        t.AdaptiveAvgPool2d(1),
        t.Flatten(),
        t.Linear(16, 12),
        t.BatchNorm1d(12),
        t.SiLU(),
        t.Dropout(0.3),
        t.Linear(12, 10),
    )


def torch_attention(embed_dim, num_heads, *, causal=False, **options):
    """PyTorch's attention as a module of one input."""

    def make(torch):
        class SelfAttention(torch.nn.MultiheadAttention):
            def forward(self, x):
                mask = None
                if causal:
                    mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
                return super().forward(x, x, x, attn_mask=mask, need_weights=False)[0]

        return SelfAttention(embed_dim, num_heads, batch_first=True, **options)

    return make


def torch_residual(torch):
    class Residual(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Sequential(torch.nn.Linear(6, 6), torch.nn.Tanh())
            self.shortcut = torch.nn.Linear(6, 6, bias=False)

        def forward(self, x):
            return self.layer(x) + self.shortcut(x)

    return Residual()


CASES = [
    Case(nn.Linear(5, 7), (4, 5), lambda t: t.nn.Linear(5, 7)),
    Case(nn.Linear(5, 7, bias=False), (4, 5), lambda t: t.nn.Linear(5, 7, bias=False)),
    Case(nn.Linear(5, 7), (3, 4, 5), lambda t: t.nn.Linear(5, 7)),
    Case(nn.Linear(5, 7, bias=False), (2, 3, 4, 5), lambda t: t.nn.Linear(5, 7, bias=False)),
    Case(nn.Linear(1, 1), (1, 1), lambda t: t.nn.Linear(1, 1)),
    Case(nn.Embedding(11, 4), (3, 5), lambda t: t.nn.Embedding(11, 4), integers=11),
    Case(nn.Conv1d(4, 6, 3), (2, 4, 9), lambda t: t.nn.Conv1d(4, 6, 3)),
    Case(
        nn.Conv1d(4, 6, 4, stride=2, padding=3, dilation=2, groups=2, bias=False),
        (2, 4, 12),
        lambda t: t.nn.Conv1d(4, 6, 4, stride=2, padding=3, dilation=2, groups=2, bias=False),
    ),
    Case(
        nn.Conv1d(4, 6, 4, padding="same", dilation=3),
        (2, 4, 12),
        lambda t: t.nn.Conv1d(4, 6, 4, padding="same", dilation=3),
    ),
    Case(nn.Conv2d(3, 8, 3), (2, 3, 7, 9), lambda t: t.nn.Conv2d(3, 8, 3)),
    Case(
        nn.Conv2d(4, 8, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=4),
        (2, 4, 8, 9),
        lambda t: t.nn.Conv2d(4, 8, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=4),
    ),
    Case(
        nn.Conv2d(3, 5, (4, 3), padding="same"),
        (2, 3, 6, 7),
        lambda t: t.nn.Conv2d(3, 5, (4, 3), padding="same"),
    ),
    Case(nn.BatchNorm1d(5), (8, 5), lambda t: t.nn.BatchNorm1d(5)),
    Case(
        nn.BatchNorm1d(5, eps=1e-3, momentum=0.3),
        (8, 5, 6),
        lambda t: t.nn.BatchNorm1d(5, eps=1e-3, momentum=0.3),
    ),
    Case(nn.BatchNorm2d(3, affine=False), (4, 3, 5, 6), lambda t: t.nn.BatchNorm2d(3, affine=False)),
    Case(nn.BatchNorm2d(3), (4, 3, 5, 6), lambda t: t.nn.BatchNorm2d(3)),
    Case(nn.LayerNorm(6), (2, 5, 6), lambda t: t.nn.LayerNorm(6)),
    Case(nn.LayerNorm((5, 6), eps=1e-12), (2, 5, 6), lambda t: t.nn.LayerNorm((5, 6), eps=1e-12)),
    Case(nn.LayerNorm(6, affine=False), (2, 5, 6), lambda t: t.nn.LayerNorm(6, elementwise_affine=False)),
    Case(nn.MultiHeadAttention(12, 3), (2, 5, 12), torch_attention(12, 3)),
    Case(nn.MultiHeadAttention(12, 1, bias=False), (2, 5, 12), torch_attention(12, 1, bias=False)),
    Case(nn.MultiHeadAttention(12, 4, causal=True), (2, 5, 12), torch_attention(12, 4, causal=True)),
    Case(nn.ReLU(), (3, 4), lambda t: t.nn.ReLU()),
    Case(nn.GELU(), (3, 4), lambda t: t.nn.GELU()),
    Case(nn.GELU("tanh"), (3, 4), lambda t: t.nn.GELU("tanh")),
    Case(nn.SiLU(), (3, 4), lambda t: t.nn.SiLU()),
    Case(nn.Tanh(), (3, 4), lambda t: t.nn.Tanh()),
    Case(nn.Sigmoid(), (3, 4), lambda t: t.nn.Sigmoid()),
    Case(nn.Softmax(), (3, 4), lambda t: t.nn.Softmax(-1)),
    Case(nn.Softmax(1), (3, 4, 5), lambda t: t.nn.Softmax(1)),
    Case(nn.Dropout(0.4), (3, 4), lambda t: t.nn.Dropout(0.4)),
    Case(nn.MaxPool2d(2), (2, 3, 7, 6), lambda t: t.nn.MaxPool2d(2)),
    Case(
        nn.MaxPool2d((3, 2), stride=(2, 1), padding=1, dilation=(1, 2), ceil_mode=True),
        (2, 3, 8, 9),
        lambda t: t.nn.MaxPool2d((3, 2), stride=(2, 1), padding=1, dilation=(1, 2), ceil_mode=True),
    ),
    Case(nn.AvgPool2d(2), (2, 3, 7, 6), lambda t: t.nn.AvgPool2d(2)),
    Case(
        nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True),
        (2, 3, 8, 9),
        lambda t: t.nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True),
    ),
    Case(
        nn.AvgPool2d((3, 2), padding=1, count_include_pad=False),
        (2, 3, 8, 9),
        lambda t: t.nn.AvgPool2d((3, 2), padding=1, count_include_pad=False),
    ),
    Case(nn.GlobalAvgPool2d(), (2, 3, 4, 5), lambda t: t.nn.AdaptiveAvgPool2d(1)),
    Case(nn.Flatten(), (2, 3, 4, 5), lambda t: t.nn.Flatten()),
    Case(nn.Sequential(), (2, 3), lambda t: t.nn.Sequential()),
    Case(
        nn.Residual(nn.Sequential(nn.Linear(6, 6), nn.Tanh()), nn.Linear(6, 6, bias=False)),
        (3, 6),
        torch_residual,
    ),
    Case(lenet_300_100(), (3, 1, 28, 28), torch_lenet_300_100),
    Case(lenet_5(), (3, 1, 28, 28), torch_lenet_5),
    Case(vgg_like(), (6, 3, 12, 12), torch_vgg_like),
]


def transformer_block(size, heads, wide):
    """What PyTorch's TransformerEncoderLayer is, in the functional form and under its names."""
    x = nn.Input((None, None, size))
    padding = nn.Input((None, None), "bool", name="padding")
    attention = nn.MultiHeadAttention(size, heads)(x, padding, name="self_attn")
    y = nn.LayerNorm(size)(x + attention, name="norm1")
    z = nn.Linear(wide, size)(nn.GELU()(nn.Linear(size, wide)(y, name="linear1")), name="linear2")
    return [x, padding], nn.LayerNorm(size)(y + z, name="norm2")
