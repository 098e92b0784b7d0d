"""Cases of convolution, pooling and normalization, outside training."""

from operator_case import Maker, adder, positive

CASES = []
add_cases = adder(CASES)


def torch_pads(torch, x, pads, value=0.0):
    """Pad as ONNX's pads say: all begins, then all ends."""
    rank = x.ndim - 2
    pairs = [n for axis in reversed(range(rank)) for n in (pads[axis], pads[rank + axis])]
    return torch.nn.functional.pad(x, pairs, value=value)


def same_pads(x, kernel, strides, dilations, auto_pad):
    """The padding of SAME_UPPER and SAME_LOWER in plain words."""
    begins, ends = [], []
    for size, k, stride, dilation in zip(x.shape[2:], kernel, strides, dilations, strict=True):
        windows = (size + stride - 1) // stride
        missing = max(0, (windows - 1) * stride + dilation * (k - 1) + 1 - size)
        more, less = (missing + 1) // 2, missing // 2
        begins.append(less if auto_pad == "SAME_UPPER" else more)
        ends.append(more if auto_pad == "SAME_UPPER" else less)
    return (*begins, *ends)


def torch_conv(torch, x, w, b=None, **attributes):
    rank = x.ndim - 2
    strides = attributes.get("strides", (1,) * rank)
    dilations = attributes.get("dilations", (1,) * rank)
    pads = attributes.get("pads", (0,) * 2 * rank)
    if attributes.get("auto_pad", "NOTSET").startswith("SAME"):
        pads = same_pads(x, w.shape[2:], strides, dilations, attributes["auto_pad"])
    function = torch.nn.functional.conv1d if rank == 1 else torch.nn.functional.conv2d
    return function(torch_pads(torch, x, pads), w, b, strides, 0, dilations, attributes.get("group", 1))


IMAGES, FILTERS = (2, 4, 7, 9), (6, 4, 3, 2)
add_cases(
    "Conv",
    torch_conv,
    (IMAGES, FILTERS),
    (IMAGES, FILTERS, (6,)),
    ((IMAGES, FILTERS), {"kernel_shape": (3, 2)}),
    ((IMAGES, FILTERS, (6,)), {"strides": (2, 3)}),
    ((IMAGES, FILTERS, (6,)), {"pads": (1, 0, 2, 3)}),
    ((IMAGES, FILTERS, (6,)), {"pads": (5, 4, 3, 6)}),
    ((IMAGES, FILTERS, (6,)), {"dilations": (2, 3)}),
    ((IMAGES, FILTERS, (6,)), {"dilations": (2, 1), "strides": (1, 2), "pads": (1, 2, 0, 1)}),
    ((IMAGES, FILTERS, (6,)), {"auto_pad": "VALID", "strides": (2, 2)}),
    ((IMAGES, FILTERS, (6,)), {"auto_pad": "SAME_UPPER", "strides": (2, 2)}),
    ((IMAGES, FILTERS, (6,)), {"auto_pad": "SAME_LOWER", "strides": (2, 2)}),
    ((IMAGES, FILTERS, (6,)), {"auto_pad": "NOTSET", "pads": (1, 1, 1, 1)}),
    ((IMAGES, (6, 2, 3, 2), (6,)), {"group": 2}),
    (
        (IMAGES, (6, 2, 3, 2), (6,)),
        {"group": 2, "strides": (2, 1), "pads": (1, 1, 1, 1), "dilations": (1, 2)},
    ),
    # Depthwise, by loops of its own, with one and with two filters a channel; eight are products again.
    ((IMAGES, (4, 1, 3, 3)), {"group": 4}),
    ((IMAGES, (4, 1, 3, 3), (4,)), {"group": 4, "pads": (1, 1, 1, 1)}),
    ((IMAGES, (8, 1, 3, 2), (8,)), {"group": 4, "strides": (2, 2), "pads": (2, 0, 1, 3)}),
    ((IMAGES, (8, 1, 3, 2), (8,)), {"group": 4, "dilations": (2, 3), "pads": (2, 2, 2, 2)}),
    ((IMAGES, (32, 1, 3, 2), (32,)), {"group": 4}),
    # 1 x 1: the columns are the input.
    (IMAGES, (5, 4, 1, 1), (5,)),
    ((IMAGES, (6, 2, 1, 1), (6,)), {"group": 2}),
    ((IMAGES, (5, 4, 1, 1), (5,)), {"strides": (2, 3)}),
    ((IMAGES, (5, 4, 1, 1)), {"pads": (1, 0, 0, 1)}),
    # One dimension.
    ((2, 4, 9), (6, 4, 3), (6,)),
    (((2, 4, 9), (6, 2, 3), (6,)), {"group": 2, "strides": (2,), "pads": (1, 2), "dilations": (2,)}),
    (((2, 4, 9), (4, 1, 3), (4,)), {"group": 4, "auto_pad": "SAME_LOWER"}),
    (((3, 1, 1, 1), (2, 1, 1, 1), (2,))),
)
add_cases(
    "Conv", None, ((0, 4, 7, 9), FILTERS, (6,)), reference_differs="it divides by the size of the batch"
)
add_cases("Conv", None, ((0, 4, 7, 9), (5, 4, 1, 1)), reference_differs="it divides by the size of the batch")

STEPS = Maker((2, 3, 7, 9), "steps", lambda rng, shape: rng.permutation(378).reshape(shape) * 0.25 - 40)


def torch_max_pool(torch, x, kernel_shape, **attributes):
    rank = x.ndim - 2
    strides = attributes.get("strides", (1,) * rank)
    dilations = attributes.get("dilations", (1,) * rank)
    pads = attributes.get("pads", (0,) * 2 * rank)
    if attributes.get("auto_pad", "NOTSET").startswith("SAME"):
        pads = same_pads(x, kernel_shape, strides, dilations, attributes["auto_pad"])
    function = torch.nn.functional.max_pool1d if rank == 1 else torch.nn.functional.max_pool2d
    if pads[:rank] != pads[rank:] or not attributes.get("ceil_mode"):
        return function(torch_pads(torch, x, pads, -torch.inf), kernel_shape, strides, 0, dilations)
    return function(x, kernel_shape, strides, pads[:rank], dilations, bool(attributes["ceil_mode"]))


add_cases(
    "MaxPool",
    torch_max_pool,
    ((STEPS,), {"kernel_shape": (2, 2)}),
    ((STEPS,), {"kernel_shape": (2, 2), "strides": (2, 2)}),
    ((STEPS,), {"kernel_shape": (3, 2), "strides": (2, 3)}),
    ((STEPS,), {"kernel_shape": (3, 3), "strides": (2, 2), "pads": (1, 1, 1, 1)}),
    ((STEPS,), {"kernel_shape": (2, 3), "dilations": (3, 2)}),
    ((STEPS,), {"kernel_shape": (2, 2), "strides": (2, 2), "ceil_mode": 1}),
    ((STEPS,), {"kernel_shape": (3, 3), "strides": (3, 2), "pads": (1, 1, 1, 1), "ceil_mode": 1}),
    ((STEPS,), {"kernel_shape": (2, 3), "auto_pad": "VALID"}),
    ((STEPS,), {"kernel_shape": (1, 1)}),
    ((STEPS,), {"kernel_shape": (7, 9)}),
    (((2, 3, 9),), {"kernel_shape": (3,), "strides": (2,)}),
    (((2, 3, 10),), {"kernel_shape": (2,), "strides": (2,), "pads": (1, 1)}),
)
add_cases(
    "MaxPool",
    torch_max_pool,
    ((STEPS,), {"kernel_shape": (3, 2), "strides": (2, 2), "auto_pad": "SAME_UPPER"}),
)
add_cases(
    "MaxPool",
    torch_max_pool,
    ((STEPS,), {"kernel_shape": (3, 3), "pads": (0, 1, 2, 2)}),
    ((STEPS,), {"kernel_shape": (3, 2), "strides": (2, 2), "auto_pad": "SAME_LOWER"}),
    reference_differs="it takes padding that differs by side wrongly; ONNX Runtime and PyTorch agree with us",
)
add_cases(
    "MaxPool",
    None,
    ((STEPS,), {"kernel_shape": (2, 2), "strides": (2, 2)}),
    ((STEPS,), {"kernel_shape": (3, 3), "strides": (2, 2), "pads": (1, 1, 1, 1)}),
    outputs=2,
)
add_cases("MaxPool", None, (((0, 3, 7, 9),), {"kernel_shape": (2, 2)}))


def torch_average_pool(torch, x, kernel_shape, **attributes):
    rank = x.ndim - 2
    strides = attributes.get("strides", (1,) * rank)
    pads = attributes.get("pads", (0,) * 2 * rank)
    dilations = attributes.get("dilations", (1,) * rank)
    function = torch.nn.functional.avg_pool1d if rank == 1 else torch.nn.functional.avg_pool2d
    if any(n != 1 for n in dilations) or pads[:rank] != pads[rank:]:
        # The sums by convolution, divided by those of a mask.
        c = x.shape[1]
        ones = torch.ones((c, 1, *kernel_shape), dtype=x.dtype)
        conv = torch.nn.functional.conv1d if rank == 1 else torch.nn.functional.conv2d
        sums = conv(torch_pads(torch, x, pads), ones, None, strides, 0, dilations, c)
        mask = torch_pads(torch, torch.ones_like(x), pads, float(attributes.get("count_include_pad", 0)))
        return sums / conv(mask, ones, None, strides, 0, dilations, c)
    return function(
        x,
        kernel_shape,
        strides,
        pads[:rank],
        bool(attributes.get("ceil_mode", 0)),
        bool(attributes.get("count_include_pad", 0)),
    )


add_cases(
    "AveragePool",
    torch_average_pool,
    ((IMAGES,), {"kernel_shape": (2, 2)}),
    ((IMAGES,), {"kernel_shape": (2, 2), "strides": (2, 2)}),
    ((IMAGES,), {"kernel_shape": (3, 2), "strides": (2, 3), "pads": (1, 1, 1, 1)}),
    ((IMAGES,), {"kernel_shape": (3, 2), "strides": (2, 3), "pads": (1, 1, 1, 1), "count_include_pad": 1}),
    ((IMAGES,), {"kernel_shape": (3, 3), "pads": (0, 1, 2, 2)}),
    ((IMAGES,), {"kernel_shape": (3, 3), "pads": (0, 1, 2, 2), "count_include_pad": 1}),
    ((IMAGES,), {"kernel_shape": (2, 2), "dilations": (3, 2), "pads": (1, 1, 1, 1)}),
    ((IMAGES,), {"kernel_shape": (2, 2), "auto_pad": "VALID"}),
    ((IMAGES,), {"kernel_shape": (2, 2), "strides": (2, 2), "ceil_mode": 1}),
    ((IMAGES,), {"kernel_shape": (7, 9)}),
    (((2, 3, 9),), {"kernel_shape": (3,), "strides": (2,), "pads": (1, 1)}),
)
add_cases(
    "AveragePool",
    torch_average_pool,
    ((IMAGES,), {"kernel_shape": (3, 2), "strides": (3, 2), "pads": (1, 1, 1, 1), "ceil_mode": 1}),
    (
        (IMAGES,),
        {
            "kernel_shape": (3, 3),
            "strides": (3, 3),
            "pads": (1, 1, 1, 1),
            "ceil_mode": 1,
            "count_include_pad": 1,
        },
    ),
)
add_cases(
    "AveragePool",
    None,
    ((IMAGES,), {"kernel_shape": (3, 2), "strides": (2, 2), "auto_pad": "SAME_UPPER"}),
    ((IMAGES,), {"kernel_shape": (3, 2), "strides": (2, 2), "auto_pad": "SAME_LOWER"}),
)


def torch_global_average_pool(torch, x):
    return x.mean(dim=tuple(range(2, x.ndim)), keepdim=True)


add_cases(
    "GlobalAveragePool",
    torch_global_average_pool,
    (IMAGES,),
    ((2, 3, 5),),
    ((2, 3, 2, 3, 4),),
    ((2, 3, 1, 1),),
)


def torch_batch_norm(torch, x, scale, b, mean, var, epsilon=1e-5, **others):
    return torch.nn.functional.batch_norm(x, mean, var, scale, b, False, 0.0, epsilon)


add_cases(
    "BatchNormalization",
    torch_batch_norm,
    ((4, 3, 5, 2), (3,), (3,), (3,), positive(3)),
    ((4, 3), (3,), (3,), (3,), positive(3)),
    ((4, 3, 6), (3,), (3,), (3,), positive(3)),
    (((4, 3, 6), (3,), (3,), (3,), positive(3)), {"epsilon": 0.5, "momentum": 0.25}),
    ((1, 3), (3,), (3,), (3,), positive(3)),
)


def torch_layer_norm(torch, x, scale, b=None, axis=-1, epsilon=1e-5):
    axes = x.shape[axis:]
    return torch.nn.functional.layer_norm(x, axes, None, None, epsilon) * scale + (0 if b is None else b)


add_cases(
    "LayerNormalization",
    torch_layer_norm,
    ((4, 5, 6), (6,), (6,)),
    ((4, 5, 6), (6,)),
    ((6,), (6,), (6,)),
    (((4, 5, 6), (5, 6), (5, 6)), {"axis": 1}),
    (((4, 5, 6), (4, 5, 6), (5, 6)), {"axis": 0}),
    (((4, 5, 6), (5, 6)), {"axis": -2, "epsilon": 0.5}),
)
add_cases("LayerNormalization", torch_layer_norm, (((4, 5, 6), (6,), (1,)), {"axis": 1}))

add_cases(
    "Dropout",
    lambda torch, x, ratio=None, mode=None: x,
    ((2, 3),),
    ((0, 3),),
)
