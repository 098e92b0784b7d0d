"""Prune, quantize and sparsify exported neural network weights, and run them on a CPU."""

import importlib
import typing

from . import jobs
from ._core import version as __version__
from .compression.compressor import Compressed, compress
from .compression.pruning import prune
from .compression.quantization import quantize
from .compression.recipe import PruneStep, QuantizeStep, Recipe, SparsifyStep
from .compression.report import Report
from .compression.sparsity import sparsify
from .errors import FormatError
from .formats import Limits, read, write
from .jobs import compress_file
from .runtime.activation_scale import ActivationScale
from .runtime.kernels import kernel_info
from .runtime.linear import PackedLinear
from .runtime.threads import set_num_threads
from .weights import QuantizedWeight, SparseWeight

if typing.TYPE_CHECKING:
    from . import graph, nn, training
    from .nn.saving import load
    from .runtime.packed_convolution import PackedConv
    from .runtime.session import Session
    from .training.distillation.distilling import distill
    from .training.fitting.running import fit
    from .training.pruning.to_accuracy import prune_to_accuracy

# What whoever only compresses need not wait for: it is imported when it is first used.
_LATER = {
    "PackedConv": "runtime.packed_convolution",
    "Session": "runtime.session",
    "distill": "training.distillation",
    "fit": "training.fitting",
    "load": "nn.saving",
    "prune_to_accuracy": "training.pruning",
}
_LATER_PACKAGES = ("graph", "nn", "training")

__all__ = [
    "ActivationScale",
    "Compressed",
    "FormatError",
    "Limits",
    "PackedConv",
    "PackedLinear",
    "PruneStep",
    "QuantizeStep",
    "QuantizedWeight",
    "Recipe",
    "Report",
    "Session",
    "SparseWeight",
    "SparsifyStep",
    "__version__",
    "compress",
    "compress_file",
    "distill",
    "fit",
    "graph",
    "jobs",
    "kernel_info",
    "load",
    "nn",
    "prune",
    "prune_to_accuracy",
    "quantize",
    "read",
    "set_num_threads",
    "sparsify",
    "training",
    "write",
]


def __getattr__(name: str) -> typing.Any:
    if name in _LATER:
        value = getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
    elif name in _LATER_PACKAGES:
        value = importlib.import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER, *_LATER_PACKAGES})
