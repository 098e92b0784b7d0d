"""Cases of products, and of the operators that move, cut, join and convert."""

import numpy as np

from operator_case import adder, boolean, one, small, whole, wide

CASES = []
add_cases = adder(CASES)

add_cases(
    "MatMul",
    lambda torch, a, b: a @ b,
    ((2, 3), (3, 4)),
    ((3,), (3, 4)),
    ((2, 3), (3,)),
    ((3,), (3,)),
    ((5, 2, 3), (3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((5, 2, 3), (1, 3, 4)),
    ((6, 1, 2, 3), (5, 3, 4)),
    ((2, 3), (5, 3, 4)),
    ((3,), (5, 3, 4)),
    ((5, 2, 3), (3,)),
    ((6, 5, 2, 3), (3, 4)),
    ((0, 2, 3), (3, 4)),
    ((5, 2, 0), (0, 4)),
)


def torch_gemm(torch, a, b, c=None, alpha=1.0, beta=1.0, transA=0, transB=0):
    y = alpha * ((a.T if transA else a) @ (b.T if transB else b))
    return y if c is None else y + beta * c


add_cases(
    "Gemm",
    torch_gemm,
    ((2, 3), (3, 4)),
    ((2, 3), (3, 4), (4,)),
    ((2, 3), (3, 4), ()),
    ((2, 3), (3, 4), (2, 1)),
    ((2, 3), (3, 4), (2, 4)),
    (((2, 3), (4, 3), (4,)), {"transB": 1}),
    (((3, 2), (3, 4), (1, 4)), {"transA": 1}),
    (((3, 2), (4, 3), (4,)), {"transA": 1, "transB": 1}),
    (((2, 3), (3, 4), (4,)), {"alpha": 0.5, "beta": -2.0}),
    (((3, 2), (4, 3), (2, 4)), {"alpha": 0.5, "beta": 0.25, "transA": 1, "transB": 1}),
    ((0, 3), (3, 4), (4,)),
    ((2, 0), (0, 4), (4,)),
)

add_cases("Identity", lambda torch, x: x, ((2, 3),), ((),), ((0, 2),), (small(3),))
add_cases(
    "Flatten",
    lambda torch, x, axis=1: x.reshape(int(np.prod(x.shape[: axis % x.ndim if axis < 0 else axis])), -1),
    ((2, 3),),
    ((2, 3, 4, 5),),
    ((3,),),
    (((2, 3, 4),), {"axis": 0}),
    (((2, 3, 4),), {"axis": 2}),
    (((2, 3, 4),), {"axis": 3}),
    (((2, 3, 4),), {"axis": -1}),
    (((2, 3, 4),), {"axis": -3}),
)
add_cases("Flatten", None, (((),), {"axis": 0}))
add_cases(
    "Flatten",
    None,
    ((0, 3),),
    ((2, 0, 4),),
    reference_differs="NumPy cannot tell what -1 is in an empty array",
)
add_cases(
    "Reshape",
    lambda torch, x, shape: x.reshape(
        [x.shape[i] if size == 0 else int(size) for i, size in enumerate(shape)]
    ),
    ((2, 6), whole(3, 4)),
    ((2, 6), whole(-1)),
    ((2, 6), whole(0, 2, -1)),
    ((2, 6), whole(0, 0)),
    ((2, 3, 4), whole(0, -1)),
    ((1,), np.zeros(0, np.int64)),
    ((), whole(1, 1)),
    ((0, 3), whole(0, 3, 1)),
)
add_cases(
    "Reshape",
    lambda torch, x, shape, allowzero: x.reshape([int(size) for size in shape]),
    (((0, 3), whole(3, 0)), {"allowzero": 1}),
    (((2, 6), whole(-1, 3)), {"allowzero": 1}),
)
add_cases(
    "Transpose",
    lambda torch, x, perm=None: x.permute(perm or tuple(reversed(range(x.ndim)))),
    ((2, 3),),
    ((2, 3, 4),),
    ((),),
    (((2, 3, 4),), {"perm": (1, 2, 0)}),
    (((2, 3, 4, 5),), {"perm": (0, 2, 1, 3)}),
)
add_cases(
    "Squeeze",
    lambda torch, x, axes: x.squeeze(tuple(axes.tolist())),
    ((1, 3, 1), whole(0)),
    ((1, 3, 1), whole(-1, 0)),
    ((2, 1, 3, 1), whole(1)),
    ((1,), whole(0)),
)
add_cases("Squeeze", lambda torch, x: x.squeeze(), ((1, 3, 1),), ((2, 3),), ((1, 1),), needs_sizes=True)


def torch_unsqueeze(torch, x, axes):
    rank = x.ndim + len(axes)
    for axis in sorted(axis % rank for axis in axes.tolist()):
        x = x.unsqueeze(axis)
    return x


add_cases(
    "Unsqueeze",
    torch_unsqueeze,
    ((3, 4), whole(0)),
    ((3, 4), whole(1, 3)),
    ((3, 4), whole(-1, 0)),
    ((3, 4), whole(2, 1)),
    ((), whole(0, 1)),
)
add_cases(
    "Concat",
    lambda torch, *inputs, axis: torch.cat(inputs, axis),
    (((2, 3), (2, 4), (2, 1)), {"axis": 1}),
    (((2, 3), (1, 3)), {"axis": 0}),
    (((2, 3, 4), (2, 0, 4), (2, 2, 4)), {"axis": -2}),
    (((3,),), {"axis": 0}),
)
add_cases("Concat", None, ((small(2), small(3)), {"axis": 0}))
add_cases(
    "Split",
    lambda torch, x, sizes, axis=0: torch.split(x, sizes.tolist(), axis),
    ((6, 2), whole(1, 2, 3)),
    (((2, 5), whole(2, 0, 3)), {"axis": 1}),
    (((2, 5, 2), whole(4, 1, 0)), {"axis": -2}),
    outputs=3,
)
add_cases(
    "Split",
    lambda torch, x, num_outputs, axis=0: torch.split(x, -(-x.shape[axis] // num_outputs), axis),
    (((6, 2),), {"num_outputs": 3}),
    (((2, 7),), {"num_outputs": 3, "axis": 1}),
    outputs=3,
)
add_cases(
    "Slice",
    lambda torch, x, starts, ends: x[tuple(map(slice, starts.tolist(), ends.tolist()))],
    ((4, 5), whole(1, 2), whole(3, 5)),
    ((4, 5), whole(0, -3), whole(-1, 2**62)),
    ((4, 5), whole(3), whole(1)),
)
add_cases(
    "Slice",
    None,
    ((4, 5), whole(1), whole(4), whole(1)),
    ((4, 5), whole(0), whole(5), whole(-1), whole(2)),
    ((4, 5), whole(-1, 4), whole(-(2**62), 0), whole(0, 1), whole(-1, -2)),
    ((4, 5, 3), whole(0, 1), whole(2, 3), None, whole(1, 1)),
    ((4, 5), np.array([1], np.int32), np.array([3], np.int32), np.array([1], np.int32)),
)


def torch_gather(torch, x, indices, axis=0):
    return x[(slice(None),) * (axis % x.ndim) + (indices,)]


add_cases(
    "Gather",
    torch_gather,
    ((5, 3), whole(0, 4, 4, -1, 0)),
    ((5, 3), np.array([[1, 2], [1, -5]])),
    ((5, 3), one(2)),
    ((5,), one(-1)),
    (((2, 5, 3), whole(3, 3, 0, 3)), {"axis": 1}),
    (((2, 5, 3), np.array([[2, 1], [2, 2]])), {"axis": -1}),
    ((5, 3), np.zeros((0, 2), np.int64)),
    ((5, 3), np.array([3, 3, 1], np.int32)),
)
add_cases(
    "Expand",
    lambda torch, x, shape: torch.broadcast_to(
        x, tuple(torch.broadcast_shapes(x.shape, tuple(shape.tolist())))
    ),
    ((3, 1), whole(3, 4)),
    ((3, 1), whole(2, 1, 4)),
    ((3, 4), whole(1)),
    ((), whole(2, 2)),
    ((1, 4), whole(0, 1)),
)


def torch_pad(torch, x, pads, constant=None, axes=None, mode="constant"):
    rank = len(pads) // 2
    widths = [(0, 0)] * x.ndim
    for i, axis in enumerate(range(x.ndim) if axes is None else axes.tolist()):
        widths[axis] = int(pads[i]), int(pads[i + rank])
    flat = [width for pair in reversed(widths) for width in pair]
    return torch.nn.functional.pad(x, flat, mode, value=0.0 if constant is None else float(constant))


add_cases(
    "Pad",
    torch_pad,
    ((2, 3), whole(1, 0, 2, 3)),
    ((2, 3), whole(0, 0, 0, 0)),
    ((2, 3), whole(1, 2, 0, 1), np.array(0.5)),
    ((2, 3, 4), whole(1, 2), None, whole(1)),
    ((2, 3, 4), whole(1, 2, 0, 3), np.array(-1.0), whole(-1, 0)),
    (((2, 3), whole(0, 1, 1, 1)), {"mode": "constant"}),
)
add_cases(
    "Pad",
    torch_pad,
    ((4, 5), whole(-1, 1, 0, -2)),
    ((4, 5), whole(-1, -1, -1, -1), np.array(3.0)),
    reference_differs="NumPy's pad, which it calls, refuses negative widths",
)
TYPES = {1: "float32", 7: "int64", 9: "bool", 11: "float64"}
add_cases(
    "Cast",
    lambda torch, x, to: x.to(getattr(torch, TYPES[to])),
    (((2, 3),), {"to": 11}),
    (((),), {"to": 11}),
)
add_cases("Cast", None, ((wide(3),), {"to": 7}), ((small(4),), {"to": 9}), ((small(4),), {"to": 11}))
add_cases("Cast", None, ((wide(4),), {"to": 1}), ((wide(4),), {"to": 10}), rounds=True)
add_cases("Cast", None, ((boolean(4),), {"to": 6}))
add_cases(
    "Shape",
    None,
    ((2, 3, 4),),
    ((),),
    (((2, 3, 4),), {"start": 1}),
    (((2, 3, 4),), {"start": -2, "end": -1}),
    (((2, 3, 4),), {"start": 2, "end": 1}),
    (((2, 3, 4),), {"start": -9, "end": 9}),
)
add_cases(
    "Constant",
    None,
    ((), {"value_float": 0.1}),
    ((), {"value_floats": (0.5, 1.0)}),
    ((), {"value_int": -3}),
    ((), {"value_ints": (1, 2, 3)}),
)
