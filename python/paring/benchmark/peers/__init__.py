"""Who computes a linear layer besides paring: each library in a module of its own, imported when it is installed."""

from ..linear_problem import LinearProblem
from .llama import GgmlPeer
from .numpy_blas import NumpyPeer
from .onnx_runtime import OnnxRuntimePeer
from .openvino_cpu import OpenVinoPeer
from .own import ParingPeer
from .peer import Absent, Bound, Peer
from .torch_cpu import TorchPeer

__all__ = ["Absent", "Bound", "Peer", "peers_for"]


def peers_for(problem: LinearProblem) -> list[Peer]:
    """Return paring and every library that has a way to compute this problem, installed or not."""
    ways: dict[int, list[Peer]] = {
        32: [ParingPeer(), NumpyPeer(), OnnxRuntimePeer(), OpenVinoPeer(), TorchPeer()],
        8: [
            ParingPeer(),
            OnnxRuntimePeer("dynamic"),
            OnnxRuntimePeer("nbits"),
            OpenVinoPeer(),
            TorchPeer("onednn"),
            TorchPeer("x86"),
            GgmlPeer("q8_0"),
        ],
        4: [ParingPeer(), OnnxRuntimePeer("nbits"), OpenVinoPeer(), GgmlPeer("q4_0")],
    }
    return ways[problem.bits]
