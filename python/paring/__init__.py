"""Prune, quantize and sparsify exported neural network weights, and run them on a CPU."""

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
from .runtime.kernels import kernel_info
from .runtime.linear import PackedLinear
from .runtime.threads import set_num_threads
from .weights import QuantizedWeight, SparseWeight

__all__ = [
    "Compressed",
    "FormatError",
    "Limits",
    "PackedLinear",
    "PruneStep",
    "QuantizeStep",
    "QuantizedWeight",
    "Recipe",
    "Report",
    "SparseWeight",
    "SparsifyStep",
    "__version__",
    "compress",
    "compress_file",
    "jobs",
    "kernel_info",
    "prune",
    "quantize",
    "read",
    "set_num_threads",
    "sparsify",
    "write",
]
