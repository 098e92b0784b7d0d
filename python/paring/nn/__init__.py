"""Layers that build a graph, and models that hold its weights.

A layer is a frozen description with PyTorch's names: ``nn.Sequential(nn.Linear(784, 300), nn.ReLU(), ...)``. A `Model`
makes its graph and its weights. Everything else is built in the functional form: ``x = nn.Input((None, 8))``,
``nn.Model(x, nn.Linear(8, 8)(x) + x)``.
"""

from .activations import GELU, Dropout, ReLU, Sigmoid, SiLU, Softmax, Tanh
from .attention import MultiHeadAttention
from .building import Scope, Symbol
from .containers import Residual, Sequential
from .convolutions import Conv1d, Conv2d
from .dense import Embedding, Linear
from .initialization import Initial
from .layer import Layer
from .model import Model
from .normalizations import BatchNorm1d, BatchNorm2d, LayerNorm
from .operations import apply, concat, softmax
from .pooling import AvgPool2d, Flatten, GlobalAvgPool2d, MaxPool2d
from .saving import load
from .state import StateDifference
from .values import Input, Value

__all__ = [
    "GELU",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv1d",
    "Conv2d",
    "Dropout",
    "Embedding",
    "Flatten",
    "GlobalAvgPool2d",
    "Initial",
    "Input",
    "Layer",
    "LayerNorm",
    "Linear",
    "MaxPool2d",
    "Model",
    "MultiHeadAttention",
    "ReLU",
    "Residual",
    "Scope",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "StateDifference",
    "Symbol",
    "Tanh",
    "Value",
    "apply",
    "concat",
    "load",
    "softmax",
]
