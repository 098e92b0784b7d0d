"""Cases of the operators that reduce axes, and of sums along one."""

import numpy as np

from operator_case import adder, one, small, whole

CASES = []
add_cases = adder(CASES)


def torch_reduce(name):
    def call(torch, x, axes=None, keepdims=1, noop_with_empty_axes=0):
        axes = () if axes is None else tuple(axes.tolist())
        if not axes and noop_with_empty_axes:
            return x.abs() if name == "norm" else x
        axes = axes or tuple(range(x.ndim))
        if name == "prod":
            for axis in axes:
                x = torch.prod(x, axis, keepdim=True)
            return x if keepdims else x.squeeze(axes)
        if name == "norm":
            return torch.linalg.vector_norm(x, dim=axes, keepdim=bool(keepdims))
        return getattr(torch, name)(x, dim=axes, keepdim=bool(keepdims))

    return call


REDUCTIONS = [
    ((2, 3, 4),),
    ((2, 3, 4), whole(1)),
    ((2, 3, 4), whole(-1, 0)),
    ((4,), whole(0)),
    (((2, 3, 4), whole(1)), {"keepdims": 0}),
    (((2, 3, 4), whole(2, -2)), {"keepdims": 0}),
    (((2, 3, 4),), {"keepdims": 0}),
    (((2, 3), np.zeros(0, np.int64)), {"noop_with_empty_axes": 1}),
    (((2, 3),), {"noop_with_empty_axes": 1}),
]
for name, function in {
    "ReduceSum": "sum",
    "ReduceMean": "mean",
    "ReduceMax": "amax",
    "ReduceMin": "amin",
    "ReduceL2": "norm",
    "ReduceProd": "prod",
}.items():
    add_cases(name, torch_reduce(function), *REDUCTIONS)
    differs = "it takes an empty list for no axes at all" if name != "ReduceSum" else ""
    add_cases(name, torch_reduce(function), ((2, 3), np.zeros(0, np.int64)), reference_differs=differs)
for name in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd"):
    add_cases(name, None, (small(3, 4), whole(1)))
add_cases("ReduceSum", torch_reduce("sum"), ((2, 0, 3), whole(1)))
add_cases(
    "ReduceProd",
    torch_reduce("prod"),
    ((2, 0, 3), whole(1)),
    (np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 4.0]]), whole(1)),
)
add_cases(
    "ArgMax",
    None,
    ((3, 4),),
    (((2, 3, 4),), {"axis": 1}),
    (((2, 3, 4),), {"axis": -1, "keepdims": 0}),
    ((small(3, 9),), {"axis": 1}),
    ((small(3, 9),), {"axis": 1, "select_last_index": 1}),
    ((small(9),), {"axis": 0, "select_last_index": 1, "keepdims": 0}),
)


def torch_cum_sum(torch, x, axis, exclusive=0, reverse=0):
    axis = int(axis)
    turned = x.flip(axis) if reverse else x
    sums = torch.cumsum(turned, axis) - (turned if exclusive else 0)
    return sums.flip(axis) if reverse else sums


add_cases(
    "CumSum",
    torch_cum_sum,
    ((3, 4), one(0)),
    ((3, 4), one(-1)),
    (((3, 4), one(1)), {"exclusive": 1}),
    (((3, 4), one(1)), {"reverse": 1}),
    (((3, 4), one(0)), {"exclusive": 1, "reverse": 1}),
)
