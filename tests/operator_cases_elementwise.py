"""Cases of the operators that work element by element, and of softmax."""

import functools

import numpy as np

from operator_case import adder, boolean, nonzero, positive, small, whole, wide

CASES = []
add_cases = adder(CASES)

PAIRS = [
    ((2, 3), (2, 3)),
    ((2, 3), (3,)),
    ((3,), (2, 3)),
    ((2, 1), (1, 3)),
    ((4, 1, 3), (2, 1)),
    ((2, 3), ()),
    ((), (2, 3)),
    ((), ()),
    ((1,), (2, 1)),
    ((0, 3), (3,)),
]

add_cases("Add", lambda torch, a, b: a + b, *PAIRS)
add_cases("Sub", lambda torch, a, b: a - b, *PAIRS)
add_cases("Mul", lambda torch, a, b: a * b, *PAIRS)
add_cases("Div", lambda torch, a, b: a / b, *((a, nonzero(*b)) for a, b in PAIRS))
add_cases("Div", None, (whole(7, -7, 7, -7, 6, 0), whole(2, 2, -2, -2, 3, 5)))
add_cases("Pow", lambda torch, a, b: torch.pow(a, b), *((positive(*a), b) for a, b in PAIRS))
add_cases(
    "Pow",
    lambda torch, a, b: torch.pow(a, b),
    (positive(2, 3), np.array(2.0)),
    (positive(2, 3), np.array([3.0, 0.0, 1.0])),
)
add_cases("Pow", None, ((2, 3), whole(2)), ((2, 3), whole(3, 0, 1)), (whole(2, 3), whole(3, 2)))
for name in ("Max", "Min"):
    pick = name.lower() + "imum"
    add_cases(
        name,
        lambda torch, *inputs, pick=pick: functools.reduce(getattr(torch, pick), inputs),
        *PAIRS,
        ((2, 3),),
        ((2, 3), (3,), (2, 1), ()),
    )
    add_cases(name, None, (small(3, 4), small(4)))
for name in ("Equal", "Greater", "Less"):
    add_cases(
        name,
        None,
        *PAIRS,
        (small(4, 5), small(5)),
        (np.array([np.nan, 1.0, np.inf]), np.array([np.nan, 1.0, 0.0])),
    )
add_cases(
    "Where",
    lambda torch, c, a, b: torch.where(c, a, b),
    (boolean(2, 3), (2, 3), (2, 3)),
    (boolean(3), (2, 1), ()),
    (boolean(4, 1, 1), (2, 3), (3,)),
    (boolean(), (2, 3), (1, 3)),
)
add_cases("Not", None, (boolean(2, 3),), (boolean(),))

SHAPES = [((2, 3),), ((),), ((0, 2),)]
WIDE = [(wide(5, 40),), (wide(),)]


def torch_function(name):
    def call(torch, *inputs, **attributes):
        return functools.reduce(getattr, name.split("."), torch)(*inputs, **attributes)

    return call


add_cases("Neg", lambda torch, x: -x, *SHAPES, (small(3),))
add_cases("Abs", torch_function("abs"), *SHAPES, (small(3),))
add_cases("Sign", torch_function("sign"), *SHAPES, (small(3),))
add_cases("Sqrt", torch_function("sqrt"), (positive(2, 3),), (positive(),))
add_cases("Exp", torch_function("exp"), *SHAPES)
add_cases("Log", torch_function("log"), (positive(2, 3),), (positive(),))
add_cases("Reciprocal", torch_function("reciprocal"), (nonzero(2, 3),), (nonzero(),))
add_cases("Erf", torch_function("erf"), *SHAPES, *WIDE, (wide(3, 6000),))
add_cases("Relu", torch_function("relu"), *SHAPES, *WIDE)
add_cases(
    "LeakyRelu",
    lambda torch, x, alpha=0.01: torch.nn.functional.leaky_relu(x, alpha),
    *SHAPES,
    ((wide(20),), {"alpha": 0.2}),
)
add_cases(
    "Gelu", torch_function("nn.functional.gelu"), *SHAPES, *WIDE, ((wide(50),), {"approximate": "none"})
)
add_cases("Gelu", torch_function("nn.functional.gelu"), ((wide(50),), {"approximate": "tanh"}))
add_cases("Sigmoid", torch_function("sigmoid"), *SHAPES, *WIDE)
add_cases("Tanh", torch_function("tanh"), *SHAPES, *WIDE)
add_cases("Softplus", torch_function("nn.functional.softplus"), *SHAPES, *WIDE)
add_cases(
    "HardSigmoid",
    lambda torch, x, alpha=0.2, beta=0.5: torch.clamp(alpha * x + beta, 0, 1),
    *SHAPES,
    *WIDE,
    ((wide(50),), {"alpha": 1 / 6, "beta": 0.25}),
)
add_cases("HardSwish", torch_function("nn.functional.hardswish"), *SHAPES, *WIDE)
add_cases(
    "Swish",
    lambda torch, x, alpha=1.0: x * torch.sigmoid(alpha * x),
    *SHAPES,
    *WIDE,
    ((wide(50),), {"alpha": 1.702}),
)
add_cases(
    "Elu",
    lambda torch, x, alpha=1.0: torch.nn.functional.elu(x, alpha),
    *SHAPES,
    *WIDE,
    ((wide(50),), {"alpha": 0.3}),
)
add_cases(
    "Clip",
    lambda torch, x, low=None, high=None: x if low is None and high is None else torch.clamp(x, low, high),
    (wide(4, 10),),
    (wide(4, 10), np.array(-1.5)),
    (wide(4, 10), None, np.array(2.0)),
    (wide(4, 10), np.array(0.0), np.array(6.0)),
    (wide(4, 10), (), None),
    (wide(4, 10), np.array(2.0), np.array(-1.0)),
    (wide(), np.array(-1.0), np.array(1.0)),
)
for name, function in (("Softmax", "softmax"), ("LogSoftmax", "log_softmax")):
    add_cases(
        name,
        lambda torch, x, axis=-1, function=function: getattr(torch, function)(x, dim=axis),
        ((2, 3),),
        (wide(2, 3, 4),),
        ((4,),),
        ((0, 3),),
        (((2, 3, 4),), {"axis": 0}),
        (((2, 3, 4),), {"axis": 1}),
        (((2, 3, 4),), {"axis": -2}),
    )
