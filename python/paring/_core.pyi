"""The typed border to C++. Arrays are C-contiguous, native-endian and of exactly the dtype named; nothing is cast."""

from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I8 = NDArray[np.int8]
U8 = NDArray[np.uint8]

class Kernel(TypedDict):
    name: str
    family: str
    needs: list[str]
    usable: bool

class ConvolutionKernel(Kernel):
    kind: str
    mr: int
    positions: int
    single_positions: int

class GemmKernel(Kernel):
    weight_type: str
    compute: str
    mr: int
    nr: int
    kr: int

class SparseKernel(Kernel):
    value_type: str

version: str

# runtime
def features() -> list[str]: ...
def levels() -> list[str]: ...
def active_level() -> str: ...
def loop_kernels() -> list[Kernel]: ...
def get_num_threads() -> int: ...
def set_num_threads(count: int) -> None: ...

# quantize
def unpack_codes(data: NDArray[Any], bits: int, columns: int) -> I8: ...
def pack_codes(codes: I8, bits: int) -> U8: ...
def quantize(
    weight: F32,
    bits: int,
    per_tensor: bool,
    group_size: int,
    symmetric: bool,
    convention: str,
    data_out: NDArray[Any],
    scale_out: F32,
    zero_point_out: I8 | None,
    *,
    isa: str = "",
) -> None: ...
def dequantize(
    data: NDArray[Any],
    scale: F32,
    zero_point: I8 | None,
    bits: int,
    group_size: int,
    out: F32,
    *,
    isa: str = "",
) -> None: ...
def ranges(weight: F32, group_size: int, *, isa: str = "") -> tuple[F32, F32]: ...

# prune
def prune_below(
    weight: NDArray[Any], kind: str, threshold_bits: int, out: NDArray[Any], *, isa: str = ""
) -> int: ...
def prune_smallest(
    weights: list[NDArray[Any]], kinds: list[str], count: int, outs: list[NDArray[Any]], *, isa: str = ""
) -> list[int]: ...
def select_smallest(
    weights: list[NDArray[Any]], kinds: list[str], count: int, *, isa: str = ""
) -> tuple[str, int, list[int]]: ...
def prune_selected(
    weight: NDArray[Any],
    kind: str,
    cut_kind: str,
    key: int,
    equal: int,
    out: NDArray[Any],
    *,
    isa: str = "",
) -> int: ...
def prune_n_of_m(
    weight: NDArray[Any], kind: str, n: int, m: int, out: NDArray[Any], *, isa: str = ""
) -> None: ...
def moments(weight: NDArray[Any], *, isa: str = "") -> tuple[float, float]: ...

# differences
def difference_sums(
    a: NDArray[Any], b: NDArray[Any], *, isa: str = ""
) -> tuple[float, float, float, float, int]: ...

# optimizers
class StepNumbers:
    def __init__(
        self,
        *,
        gradient_factor: float = 1.0,
        gradient_limit: float = ...,
        coupled_decay: float = 0.0,
        decay: float = 0.0,
        threshold: float = 0.0,
        shrink: float = 0.0,
        rate: float = 0.0,
        momentum: float = 0.0,
        fresh: float = 0.0,
        direct: float = 0.0,
        first_share: float = 0.0,
        second_share: float = 0.0,
        epsilon: float = 0.0,
    ) -> None: ...

def optimizer_step(
    rule: str,
    tensors: list[tuple[str, NDArray[Any], NDArray[Any], list[NDArray[Any]], U8 | None, StepNumbers]],
    *,
    isa: str = "",
) -> None: ...
def sum_of_squares(x: NDArray[Any], mask: U8 | None, *, isa: str = "") -> float: ...
def shrink_groups(x: NDArray[Any], threshold: float, factor: float, *, isa: str = "") -> int: ...

# sparse
def check_csr(indices: NDArray[Any], indptr: NDArray[Any], rows: int, columns: int) -> None: ...
def dense_to_csr(
    weight: NDArray[Any], *, isa: str = ""
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]: ...
def csr_to_dense(
    data: NDArray[Any], indices: NDArray[Any], indptr: NDArray[Any], scale: F32 | None, out: F32
) -> None: ...
def sparse_kernels() -> list[SparseKernel]: ...

class PackedCsr:
    @staticmethod
    def from_csr(
        data: NDArray[Any],
        indices: NDArray[Any],
        indptr: NDArray[Any],
        scale: F32 | None,
        columns: int,
        bias: F32 | None,
        *,
        kernel: str = "",
    ) -> PackedCsr: ...
    def run(self, x: F32, out: F32, activation: str) -> None: ...
    @property
    def kernel(self) -> str: ...
    @property
    def nbytes(self) -> int: ...

# windows: images are (N, C, H, W) with image_axis 0, (C, N, H, W) with image_axis 1
class WindowShape:
    def __init__(
        self,
        size: tuple[int, int],
        kernel: tuple[int, int],
        strides: tuple[int, int],
        dilations: tuple[int, int],
        pads: tuple[int, int],
        out: tuple[int, int],
    ) -> None: ...

def gather_columns(
    x: NDArray[Any],
    image_axis: int,
    shape: WindowShape,
    images: tuple[int, int],
    rows: tuple[int, int],
    columns: NDArray[Any],
    *,
    isa: str = "",
) -> None: ...
def scatter_columns(
    columns: NDArray[Any],
    shape: WindowShape,
    images: tuple[int, int],
    rows: tuple[int, int],
    x: NDArray[Any],
    image_axis: int,
    *,
    isa: str = "",
) -> None: ...
def depthwise(
    x: NDArray[Any],
    image_axis: int,
    filters: NDArray[Any],
    bias: NDArray[Any] | None,
    shape: WindowShape,
    y: NDArray[Any],
    y_image_axis: int,
    *,
    isa: str = "",
) -> None: ...
def depthwise_input_gradient(
    dy: NDArray[Any],
    dy_image_axis: int,
    filters: NDArray[Any],
    shape: WindowShape,
    dx: NDArray[Any],
    image_axis: int,
    *,
    isa: str = "",
) -> None: ...
def depthwise_filter_gradient(
    x: NDArray[Any],
    image_axis: int,
    dy: NDArray[Any],
    dy_image_axis: int,
    shape: WindowShape,
    filters: NDArray[Any],
    *,
    isa: str = "",
) -> None: ...
def max_pool(
    x: NDArray[Any],
    image_axis: int,
    shape: WindowShape,
    y: NDArray[Any],
    places: NDArray[np.int32] | None,
    *,
    isa: str = "",
) -> None: ...
def max_pool_gradient(
    dy: NDArray[Any],
    dy_image_axis: int,
    places: NDArray[np.int32],
    image_axis: int,
    shape: WindowShape,
    dx: NDArray[Any],
) -> None: ...
def convolve(
    x: F32,
    image_axis: int,
    filters: F32,
    bias: F32 | None,
    groups: int,
    shape: WindowShape,
    y: F32,
    kernel: str = "",
) -> None: ...
def convolve_input_gradient(
    dy: F32, filters: F32, groups: int, shape: WindowShape, dx: F32, image_axis: int, kernel: str = ""
) -> None: ...
def convolve_filter_gradient(
    x: F32, image_axis: int, dy: F32, groups: int, shape: WindowShape, gradient: F32, kernel: str = ""
) -> None: ...

# products
def matrix_product(
    a: F32,
    b: F32,
    out: F32,
    rows: F32 | None = None,
    columns: F32 | None = None,
    add: bool = False,
    kernel: str = "",
) -> None: ...
def matrix_products(a: F32, b: F32, out: F32, kernel: str = "") -> None: ...

# gemm
def probe_int8(rounds: int, threads: int, *, isa: str = "") -> tuple[float, float] | None: ...
def probe_float(rounds: int, threads: int, *, isa: str = "") -> tuple[float, float] | None: ...
def probe_read(data: U8, passes: int, threads: int, *, isa: str = "") -> tuple[float, float]: ...
def gemm_kernels() -> list[GemmKernel]: ...
def convolution_kernels() -> list[ConvolutionKernel]: ...

class PackedFilters:
    @staticmethod
    def from_floats(filters: F32, bias: F32 | None, groups: int, *, kernel: str = "") -> PackedFilters: ...
    @staticmethod
    def from_codes(
        filters: I8, scale: F32, bias: F32 | None, groups: int, *, kernel: str = ""
    ) -> PackedFilters: ...
    def run(
        self,
        x: F32 | I8,
        image_axis: int,
        shape: WindowShape,
        out: F32 | I8,
        activation: str,
        *,
        input_scale: tuple[float, int] | None = None,
        residual: F32 | None = None,
        output_scale: tuple[float, int] | None = None,
    ) -> None: ...
    @property
    def kernel(self) -> str: ...
    @property
    def nbytes(self) -> int: ...

class PackedMatrix:
    @staticmethod
    def from_floats(weight: F32, bias: F32 | None, *, kernel: str = "") -> PackedMatrix: ...
    @staticmethod
    def from_halves(
        weight: NDArray[np.uint16], bias: F32 | None, *, bfloat16: bool, kernel: str = ""
    ) -> PackedMatrix: ...
    @staticmethod
    def from_codes(
        data: NDArray[Any],
        scale: F32,
        zero_point: I8 | None,
        bits: int,
        columns: int,
        group_size: int,
        bias: F32 | None,
        *,
        compute: str = "int8",
        kernel: str = "",
    ) -> PackedMatrix: ...
    def run(self, x: F32, out: F32, activation: str) -> None: ...
    def run_scaled(
        self,
        x: F32 | I8,
        out: F32 | I8,
        activation: str,
        *,
        input_scale: tuple[float, int] | None = None,
        residual: F32 | None = None,
        output_scale: tuple[float, int] | None = None,
    ) -> None: ...
    def unpack_codes(self) -> U8: ...
    def unpack_floats(self) -> F32: ...
    def unpack_halves(self) -> NDArray[np.uint16]: ...
    @property
    def kernel(self) -> str: ...
    @property
    def nbytes(self) -> int: ...
