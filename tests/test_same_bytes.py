"""One SHA-256 whatever the level and the thread count: of every form of layer, convolutions, and the demo model."""

import hashlib
import subprocess
import sys

import pytest

from paring import _core

# Form x activation x batch, at odd and even sizes.
LAYERS = """
import hashlib, sys, ml_dtypes, numpy as np, paring
rng = np.random.default_rng(7)
digest = hashlib.sha256()
for n, k in ((24, 64), (37, 129)):
    weight = rng.standard_normal((n, k)).astype(np.float32)
    bias = rng.standard_normal(n).astype(np.float32)
    pruned = paring.prune(weight, sparsity=0.8)
    forms = [
        weight,
        paring.quantize(weight),
        paring.quantize(weight, bits=4, granularity="group", group_size=32),
        paring.quantize(weight, bits=4, granularity="group", group_size=128),
        paring.quantize(weight, bits=4, granularity="group", group_size=32, symmetric=False),
        paring.sparsify(pruned),
        paring.sparsify(paring.quantize(pruned)),
        weight.astype(np.float16),
        weight.astype(ml_dtypes.bfloat16),
    ]
    quantized = [form for form in forms if isinstance(form, paring.QuantizedWeight)]
    cases = [(form, None) for form in forms] + [(form, "float32") for form in quantized]
    for form, compute in cases:
        for activation in (None, "relu", "gelu", "silu"):
            layer = paring.PackedLinear(form, bias, activation, compute)
            for m in (1, 3, 64):
                x = rng.standard_normal((m, k)).astype(np.float32)
                digest.update(layer(x).tobytes())
print(digest.hexdigest())
"""

# Windows of several kinds, floats and integers, int8 handed on.
CONVOLUTIONS = """
import hashlib, numpy as np, paring
rng = np.random.default_rng(8)
digest = hashlib.sha256()
scale, between = paring.ActivationScale(0.03, 5), paring.ActivationScale(0.2, -100)
windows = [
    {"padding": 1},
    {"stride": 2, "padding": ((0, 1), (2, 1))},
    {"dilation": (1, 2), "groups": 2},
    {"padding": 1, "groups": 8},
]
for options in windows:
    weight = rng.standard_normal((24, 8 // options.get("groups", 1), 3, 3)).astype(np.float32)
    x = rng.standard_normal((2, 8, 13, 29)).astype(np.float32)
    for form in (weight, paring.quantize(weight), paring.quantize(weight, bits=4, symmetric=False)):
        for activation in (None, "gelu"):
            digest.update(paring.PackedConv(form, activation=activation, **options)(x).tobytes())
    layer = paring.PackedConv(paring.quantize(weight), input_scale=scale, output_scale=between, **options)
    digest.update(layer(scale.quantize(x)).tobytes())
linear = paring.PackedLinear(
    paring.quantize(rng.standard_normal((37, 29)).astype(np.float32)), input_scale=scale, output_scale=between
)
digest.update(linear(x).tobytes())
print(digest.hexdigest())
"""

# The embedded model on its own images, float32, int8, int4, sparse.
DEMO = """
import hashlib, paring
from paring import demo
images, _ = demo.load_digits()
weights = paring.read(demo.model_path())
recipes = [
    paring.Recipe([]),
    paring.Recipe([paring.QuantizeStep()]),
    paring.Recipe([paring.QuantizeStep(bits=4, granularity="group", group_size=32)]),
    paring.Recipe([paring.PruneStep(sparsity=0.9), paring.SparsifyStep()]),
    paring.Recipe([paring.PruneStep(sparsity=0.9), paring.QuantizeStep(), paring.SparsifyStep()]),
]
digest = hashlib.sha256()
for recipe in recipes:
    layers = demo.make_layers(paring.compress(weights, recipe), paring.PackedLinear)
    digest.update(demo.run_layers(images, layers).tobytes())
print(digest.hexdigest())
"""


@pytest.mark.parametrize("program", [LAYERS, CONVOLUTIONS, DEMO], ids=["layers", "convolutions", "demo"])
def test_one_digest_on_every_level_and_thread_count(program):
    digests = {}
    for level in _core.levels():
        for threads in (1, 2):
            environment = {"PARING_ISA": level, "PARING_NUM_THREADS": str(threads), "PATH": ""}
            run = subprocess.run(
                [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
            )
            digests[level, threads] = run.stdout.strip()
    assert len(set(digests.values())) == 1, digests
    assert len(next(iter(digests.values()))) == hashlib.sha256().digest_size * 2
