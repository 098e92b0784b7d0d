"""Windows over images in plain loops: x is (N, C, H, W), every function one sentence of its contract."""

from dataclasses import dataclass

import numpy as np

from paring import _core


@dataclass(frozen=True)
class Sliding:
    size: tuple
    kernel: tuple
    strides: tuple = (1, 1)
    dilations: tuple = (1, 1)
    pads: tuple = (0, 0)
    ends: tuple = (0, 0)

    @property
    def out(self):
        return tuple(
            (size + pad + end - dilation * (kernel - 1) - 1) // stride + 1
            for size, kernel, stride, dilation, pad, end in zip(
                self.size, self.kernel, self.strides, self.dilations, self.pads, self.ends, strict=True
            )
        )

    def shape(self):
        return _core.WindowShape(self.size, self.kernel, self.strides, self.dilations, self.pads, self.out)

    def meetings(self):
        """Yield ((tap row, tap column), (output row, output column), (row, column)) for all inside, taps outermost."""
        for tap in np.ndindex(*self.kernel):
            for output in np.ndindex(*self.out):
                place = tuple(
                    o * s + t * d - p
                    for o, s, t, d, p in zip(
                        output, self.strides, tap, self.dilations, self.pads, strict=True
                    )
                )
                if all(0 <= at < size for at, size in zip(place, self.size, strict=True)):
                    yield tap, output, place

    def gather(self, x):
        """Return (C, kernel rows, kernel columns, N, output rows, output columns)."""
        n, c = x.shape[:2]
        columns = np.zeros((c, *self.kernel, n, *self.out), x.dtype)
        for (i, j), (r, s), (h, w) in self.meetings():
            columns[:, i, j, :, r, s] = x[:, :, h, w].T
        return columns

    def scatter(self, columns):
        """Return the sum that undoes `gather`, in the dtype of the columns, one addition after the other."""
        c, n = columns.shape[0], columns.shape[3]
        x = np.zeros((n, c, *self.size), columns.dtype)
        for (i, j), (r, s), (h, w) in self.meetings():
            x[:, :, h, w] += columns[:, i, j, :, r, s].T
        return x

    def depthwise(self, x, filters, bias):
        """Return the convolution in the dtype of x, products and sums rounded apart, taps ascending."""
        multiplier = len(filters) // x.shape[1]
        y = np.zeros((len(x), len(filters), *self.out), x.dtype)
        if bias is not None:
            y += bias[:, None, None]
        for (i, j), (r, s), (h, w) in self.meetings():
            y[:, :, r, s] += filters[:, i, j] * np.repeat(x[:, :, h, w], multiplier, axis=1)
        return y

    def depthwise_input_gradient(self, dy, filters, channels):
        multiplier = len(filters) // channels
        dx = np.zeros((len(dy), channels, *self.size), dy.dtype)
        for m in range(multiplier):
            for (i, j), (r, s), (h, w) in self.meetings():
                dx[:, :, h, w] += filters[m::multiplier, i, j] * dy[:, m::multiplier, r, s]
        return dx

    def depthwise_filter_gradient(self, x, dy):
        """Return the gradient in float64."""
        x, dy = x.astype(np.float64), dy.astype(np.float64)
        multiplier = dy.shape[1] // x.shape[1]
        filters = np.zeros((dy.shape[1], *self.kernel))
        for (i, j), (r, s), (h, w) in self.meetings():
            filters[:, i, j] += (np.repeat(x[:, :, h, w], multiplier, axis=1) * dy[:, :, r, s]).sum(axis=0)
        return filters

    def max_pool(self, x):
        """Return values and places: a larger value, or NaN, takes the place of the best so far; row-major."""
        y = np.full((*x.shape[:2], *self.out), -np.inf, x.dtype)
        places = np.full(y.shape, -1, np.int32)
        for image in np.ndindex(*x.shape[:2]):
            for _, output, place in self.meetings():
                value, at = x[image + place], image + output
                if places[at] < 0 or value > y[at] or np.isnan(value):
                    y[at] = value
                    places[at] = place[0] * self.size[1] + place[1]
        return y, places

    def max_pool_gradient(self, dy, places):
        dx = np.zeros((*dy.shape[:2], self.size[0] * self.size[1]), dy.dtype)
        for image in np.ndindex(*dy.shape[:2]):
            for at, value in zip(places[image].reshape(-1), dy[image].reshape(-1), strict=True):
                dx[(*image, at)] += value
        return dx.reshape(*dy.shape[:2], *self.size)
