"""Convolution and its gradients as products, on every float row of the gemm table, against float64 sums of windows."""

import numpy as np
import pytest

import paring
from paring import _core
from protected_page import ending_at_wall
from window_reference import Sliding

ROWS = [k for k in _core.gemm_kernels() if k["weight_type"] == "f32"]
KERNELS = [k["name"] for k in ROWS if set(k["needs"]) <= set(_core.features())]
every_kernel = pytest.mark.parametrize("kernel", KERNELS)
every_axis = pytest.mark.parametrize("image_axis", [0, 1])

SLIDING = [
    Sliding((1, 1), (1, 1)),
    Sliding((5, 6), (3, 3), pads=(1, 1), ends=(1, 1)),
    Sliding((7, 9), (3, 2), (2, 2)),
    Sliding((6, 20), (3, 3), (2, 1), pads=(1, 2), ends=(0, 1)),
    Sliding((5, 9), (2, 4), (1, 3), (3, 1), pads=(1, 3), ends=(2, 0)),
    Sliding((1, 30), (1, 5), (1, 2), pads=(0, 2), ends=(0, 3)),
    Sliding((4, 4), (2, 2), (1, 1), (3, 3), pads=(2, 2), ends=(3, 3)),
]
# images, channels, filters, groups; the last needs several chunks of columns for an image, and for the batch.
SIZES = [(1, 1, 1, 1), (3, 2, 5, 1), (2, 6, 9, 3), (20, 3, 13, 1)]
LARGE = (Sliding((60, 61), (3, 3), pads=(1, 1), ends=(1, 1)), (2, 40, 7, 1))
CASES = [*[(sliding, sizes) for sliding in SLIDING for sizes in SIZES], LARGE]
every_case = pytest.mark.parametrize(("sliding", "sizes"), CASES, ids=str)


class Case:
    """Random operands of one convolution, and its results in float64 with bounds of their rounding."""

    def __init__(self, sliding, sizes, rng):
        self.shape, self.sliding = sliding.shape(), sliding
        self.images, self.channels, self.filters, self.groups = sizes
        self.x = self.floats(rng, self.images, self.channels, *sliding.size)
        self.w = self.floats(rng, self.filters, self.channels // self.groups, *sliding.kernel)
        self.bias = self.floats(rng, self.filters)
        self.dy = self.floats(rng, self.filters, self.images, *sliding.out)

    @staticmethod
    def floats(rng, *shape):
        return rng.standard_normal(shape).astype(np.float32)

    def columns(self, x):
        return self.sliding.gather(x).reshape(self.groups, -1, self.dy[0].size)

    def matrices(self, function=np.asarray):
        """Return filters, outputs' gradients and columns of each group in float64, through a function."""
        w = self.w.reshape(self.groups, self.filters // self.groups, -1)
        dy = self.dy.reshape(self.groups, self.filters // self.groups, -1)
        return [function(a.astype(np.float64)) for a in (w, dy, self.columns(self.x))]

    def expected(self, function=np.asarray):
        w, dy, columns = self.matrices(function)
        y = (w @ columns).reshape(self.dy.shape) + function(self.bias.astype(np.float64))[:, None, None, None]
        dx = (w.transpose(0, 2, 1) @ dy).reshape(
            self.channels, *self.sliding.kernel, self.images, *self.sliding.out
        )
        dw = (dy @ columns.transpose(0, 2, 1)).reshape(self.w.shape)
        return y, self.sliding.scatter(dx), dw

    def run(self, kernel="", image_axis=0, place=np.ascontiguousarray):
        def planes(images):
            return place(images if image_axis == 0 else images.swapaxes(0, 1))

        x, w, dy = planes(self.x), place(self.w), place(self.dy)
        y = place(np.full_like(self.dy, np.nan))
        dx, dw = planes(np.full_like(self.x, np.nan)), place(np.full_like(self.w, np.nan))
        _core.convolve(x, image_axis, w, place(self.bias), self.groups, self.shape, y, kernel)
        _core.convolve_input_gradient(dy, w, self.groups, self.shape, dx, image_axis, kernel)
        _core.convolve_filter_gradient(x, image_axis, dy, self.groups, self.shape, dw, kernel)
        return y, dx if image_axis == 0 else dx.swapaxes(0, 1), dw


@every_case
@every_kernel
@every_axis
def test_against_float64(sliding, sizes, image_axis, kernel, rng):
    case = Case(sliding, sizes, rng)
    results = case.run(kernel, image_axis)
    longest = max(
        case.w[0].size, case.dy[0].size, case.filters * case.sliding.kernel[0] * case.sliding.kernel[1]
    )
    for got, exact, largest in zip(results, case.expected(), case.expected(np.abs), strict=True):
        assert (np.abs(got - exact) <= (longest + 20) * 2.0**-24 * largest + 1e-38).all()
    for got, other in zip(results, case.run(KERNELS[-1]), strict=True):
        assert got.tobytes() == other.tobytes()


@every_kernel
def test_memory_ends_at_a_wall(kernel, rng):
    case = Case(SLIDING[3], SIZES[1], rng)
    for got, wanted in zip(case.run(kernel, 1, ending_at_wall), case.run(kernel), strict=True):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(
    ("sliding", "sizes"), [(SLIDING[1], SIZES[2]), (SLIDING[2], SIZES[3]), LARGE], ids=str
)
def test_threads_change_no_byte(sliding, sizes, rng):
    case = Case(sliding, sizes, rng)
    results = set()
    for threads in (1, 2, 3, 8):
        with paring.set_num_threads(threads):
            results.add(b"".join(array.tobytes() for array in case.run()))
    assert len(results) == 1


def test_no_images():
    shape = _core.WindowShape((3, 3), (2, 2), (1, 1), (1, 1), (0, 0), (2, 2))
    x, y = np.zeros((0, 4, 3, 3), np.float32), np.zeros((2, 0, 2, 2), np.float32)
    w = np.full((2, 4, 2, 2), np.nan, np.float32)
    _core.convolve(x, 0, w, None, 1, shape, y)
    _core.convolve_input_gradient(y, w, 1, shape, x, 0)
    _core.convolve_filter_gradient(x, 0, y, 1, shape, w)
    np.testing.assert_array_equal(w, np.zeros_like(w))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"groups": 0}, ValueError, "groups: expected a number that divides 4 channels and 6 filters, got 0"),
        ({"groups": 3}, ValueError, "groups: expected a number that divides 4 channels and 6 filters, got 3"),
        ({"w": (6, 3, 2, 2)}, ValueError, r"filters: expected \(count, 4, 2, 2\), got \(6, 3, 2, 2\)"),
        ({"w": (5, 4, 2, 2)}, ValueError, r"expected outputs of shape \(5, 1, 2, 2\), got \(6, 1, 2, 2\)"),
        ({"y": (6, 2, 2, 2)}, ValueError, r"expected outputs of shape \(6, 1, 2, 2\), got \(6, 2, 2, 2\)"),
        ({"x": (1, 4, 3, 4)}, ValueError, r"x: expected planes of 3 x 3, got \(1, 4, 3, 4\)"),
        ({"bias": (5,)}, ValueError, r"bias: expected 6 elements, got \(5\)"),
        ({"image_axis": 2}, ValueError, "image axis: expected 0 or 1, got 2"),
        ({"kernel": "nope"}, ValueError, "kernel: unknown name 'nope'"),
    ],
)
def test_refused(changes, error, message):
    given = {
        "x": (1, 4, 3, 3),
        "w": (6, 4, 2, 2),
        "bias": (6,),
        "y": (6, 1, 2, 2),
        "groups": 1,
        "image_axis": 0,
    }
    given |= {"kernel": "", **changes}
    x, w, bias, y = (np.zeros(given[name], np.float32) for name in ("x", "w", "bias", "y"))
    shape = _core.WindowShape((3, 3), (2, 2), (1, 1), (1, 1), (0, 0), (2, 2))
    with pytest.raises(error, match=message):
        _core.convolve(x, given["image_axis"], w, bias, given["groups"], shape, y, given["kernel"])
