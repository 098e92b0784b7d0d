"""One step of training beside PyTorch's, in turn in one process: medians, and theirs divided by ours.

    python bench/training_step.py [--rounds 40] [--threads 1 2] [--batch 64 256]

LeNet-300-100 and LeNet-5 (Caffe's shapes) on random images: forward, cross-entropy, backward, optimizer. Theirs is run
as it comes and with the fused optimizer, LeNet-5 also with channels_last, and the fastest of these counts. Both start
from the same weights and see the same batches, and the losses of the first steps are compared first. Of ours it is said
which share of the time is products, and how fast they are beside the fastest product of the machine. Without torch the
table has our columns alone.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import paring
from machine import cpu_model
from paring import _core, nn
from paring.graph.evaluation import record
from paring.training.losses import CrossEntropy
from paring.training.optimizers import SGD, Adam, Optimizer

BATCHES = 8
COMPARED_STEPS = 5
CALM_SECONDS = (
    0.15  # OpenBLAS's threads spin that long after a call and would take a core from whoever is next
)
OPTIMIZERS: dict[str, Optimizer] = {"momentum": SGD(0.01, 0.9, "pytorch"), "Adam": Adam(1e-3)}


def lenet_300_100(seed: int = 0) -> nn.Model:
    layers = nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 300),
        nn.ReLU(),
        nn.Linear(300, 100),
        nn.ReLU(),
        nn.Linear(100, 10),
    )
    return nn.Model(layers, (None, 1, 28, 28), seed=seed)


def lenet_5(seed: int = 0) -> nn.Model:
    layers = nn.Sequential(
        nn.Conv2d(1, 20, 5),
        nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(800, 500),
        nn.ReLU(),
        nn.Linear(500, 10),
    )
    return nn.Model(layers, (None, 1, 28, 28), seed=seed)


NETS: dict[str, Callable[..., nn.Model]] = {"LeNet-300-100": lenet_300_100, "LeNet-5": lenet_5}


def make_batches(size: int) -> list[tuple[Any, Any]]:
    rng = np.random.default_rng(0)
    return [
        (rng.standard_normal((size, 1, 28, 28), np.float32), rng.integers(0, 10, size))
        for _ in range(BATCHES)
    ]


def our_step(net: str, optimizer: Optimizer, batches: list[tuple[Any, Any]]) -> Callable[[], float]:
    model = NETS[net]()
    graph, watched, loss = model.training_graph, frozenset(model.trainable), CrossEntropy()
    weights = {name: graph.initializers[name] for name in model.trainable}
    state, count = optimizer.init(weights), 0

    def step() -> float:
        nonlocal count
        x, y = batches[count % BATCHES]
        count += 1
        tape = record(graph, {"input": x}, watched)
        value, gradient = loss.value_and_gradient(tape.outputs["output"], y)
        optimizer.step(weights, tape.backward({"output": gradient}), state)
        return float(value)

    return step


def their_steps(
    torch: Any, net: str, optimizer: str, batches: list[tuple[Any, Any]]
) -> dict[str, Callable[[], float]]:
    def build(fused: bool, channels_last: bool) -> Callable[[], float]:
        model = torch_net(torch, net)
        state = NETS[net]().state_dict()
        model.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in state.items()})
        images = [torch.from_numpy(x) for x, _ in batches]
        labels = [torch.from_numpy(y) for _, y in batches]
        if channels_last:
            model = model.to(memory_format=torch.channels_last)
            images = [x.to(memory_format=torch.channels_last) for x in images]
        make = {"momentum": torch.optim.SGD, "Adam": torch.optim.Adam}[optimizer]
        options = {"lr": 0.01, "momentum": 0.9} if optimizer == "momentum" else {"lr": 1e-3}
        updates, count = make(model.parameters(), **options, **({"fused": True} if fused else {})), 0

        def step() -> float:
            nonlocal count
            i = count % BATCHES
            count += 1
            updates.zero_grad(set_to_none=True)
            loss = torch.nn.functional.cross_entropy(model(images[i]), labels[i])
            loss.backward()
            updates.step()
            return float(loss.detach())

        return step

    variants = {"eager": build(False, False), "fused": build(True, False)}
    if net == "LeNet-5":
        variants["fused, channels_last"] = build(True, True)
    return variants


def torch_net(torch: Any, net: str) -> Any:
    t = torch.nn
    if net == "LeNet-300-100":
        return t.Sequential(
            t.Flatten(), t.Linear(784, 300), t.ReLU(), t.Linear(300, 100), t.ReLU(), t.Linear(100, 10)
        )
    return t.Sequential(
        t.Conv2d(1, 20, 5),
        t.MaxPool2d(2),
        t.Conv2d(20, 50, 5),
        t.MaxPool2d(2),
        t.Flatten(),
        t.Linear(800, 500),
        t.ReLU(),
        t.Linear(500, 10),
    )


def compare(ours: Callable[[], float], theirs: dict[str, Callable[[], float]]) -> None:
    """Raise AssertionError if the first losses differ by more than float32 explains."""
    expected = [ours() for _ in range(COMPARED_STEPS)]
    for name, step in theirs.items():
        found = [step() for _ in range(COMPARED_STEPS)]
        assert np.allclose(found, expected, rtol=1e-4), f"{name}: losses {found}, ours {expected}"


def slot(step: Callable[[], float], seconds: float = 0.05) -> float:
    """Return seconds a step over one slot, which a pause and one step precede."""
    time.sleep(CALM_SECONDS)
    step()
    start, calls = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - start) < seconds or calls < 2:
        step()
        calls += 1
    return elapsed / calls


def product_share(net: str, optimizer: Optimizer, batches: list[tuple[Any, Any]]) -> tuple[float, float]:
    """Return which share of a step its products take, convolutions among them, and their GFLOP/s."""
    seconds = flops = 0.0

    def timed(function: Callable[..., None], count: Callable[..., float]) -> Callable[..., None]:
        def run(*arguments: Any, **options: Any) -> None:
            nonlocal seconds, flops
            start = time.perf_counter()
            function(*arguments, **options)
            seconds += time.perf_counter() - start
            flops += count(*arguments)

        return run

    def of_product(a: Any, b: Any, out: Any) -> float:
        return 2.0 * a.shape[1] * out.size

    def of_convolution(outputs: Any, filters: Any) -> float:
        return 2.0 * outputs.size * filters[0].size

    counts: dict[str, Callable[..., float]] = {
        "matrix_product": of_product,
        "convolve": lambda x, axis, w, bias, groups, shape, y: of_convolution(y, w),
        "convolve_input_gradient": lambda dy, w, *others: of_convolution(dy, w),
        "convolve_filter_gradient": lambda x, axis, dy, groups, shape, dw: of_convolution(dy, dw),
    }
    step = our_step(net, optimizer, batches)
    for _ in range(5):
        step()
    kernels = {name: getattr(_core, name) for name in counts}
    try:
        for name, count in counts.items():
            setattr(_core, name, timed(kernels[name], count))
        start = time.perf_counter()
        for _ in range(20):
            step()
        whole = time.perf_counter() - start
    finally:
        for name, kernel in kernels.items():
            setattr(_core, name, kernel)
    return seconds / whole, flops / seconds * 1e-9


def fastest_product() -> float:
    """Return the GFLOP/s of a product whose operands lie in the caches: what the machine gives at this moment."""
    a, b, out = (np.ones((480, 480), np.float32) for _ in range(3))
    return 2 * 480**3 / min(slot(lambda: _core.matrix_product(a, b, out) or 0.0) for _ in range(5)) * 1e-9


@dataclass(frozen=True)
class Row:
    """One case: milliseconds a step of both, and what ours is made of."""

    threads: int
    net: str
    batch: int
    optimizer: str
    ours: float
    theirs: float | None
    variant: str
    ratio: float | None
    product_share: float
    product_speed: float
    fastest_speed: float


def measure(torch: Any, threads: int, net: str, batch: int, optimizer: str, rounds: int) -> Row:
    """Measure one case; threads are set already."""
    batches, settings = make_batches(batch), OPTIMIZERS[optimizer]
    ours = our_step(net, settings, batches)
    theirs = {} if torch is None else their_steps(torch, net, optimizer, batches)
    compare(ours, theirs)
    times: dict[str, list[float]] = {key: [] for key in ("", *theirs)}
    for _ in range(rounds):
        for key, step in {"": ours, **theirs}.items():
            times[key].append(slot(step))
    medians = {key: statistics.median(values) * 1e3 for key, values in times.items()}
    share, speed = product_share(net, settings, batches)
    best = min(theirs, key=lambda key: medians[key], default="")
    ratio = statistics.median(t / o for t, o in zip(times[best], times[""], strict=True)) if best else None
    return Row(
        threads=threads,
        net=net,
        batch=batch,
        optimizer=optimizer,
        ours=medians[""],
        theirs=medians[best] if best else None,
        variant=best,
        ratio=ratio,
        product_share=share,
        product_speed=speed,
        fastest_speed=fastest_product(),
    )


def measure_all(threads: Sequence[int], batches: Sequence[int], rounds: int) -> Iterator[Row]:
    """Yield a row for every case."""
    try:
        import torch
    except ImportError:
        torch = None
    for count in threads:
        paring.set_num_threads(count)
        if torch is not None:
            torch.set_num_threads(count)
        with threadpool_limits(count, "blas"):
            for net, batch, optimizer in itertools.product(NETS, batches, OPTIMIZERS):
                yield measure(torch, count, net, batch, optimizer, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batch", type=int, nargs="+", default=[64, 256])
    options = parser.parse_args()
    print(f"medians of {options.rounds} rounds in turn, milliseconds a step; {cpu_model()}")
    print(
        f"{'threads':>7} {'network':14}{'batch':>6} {'optimizer':10}{'torch':>8} {'(variant)':22}{'paring':>8}"
        f"{'theirs/ours':>13}{'products':>10}{'GFLOP/s':>9}{'fastest':>9}"
    )
    for row in measure_all(options.threads, options.batch, options.rounds):
        theirs = "-" if row.theirs is None else f"{row.theirs:.3f}"
        ratio = "-" if row.ratio is None else f"{row.ratio:.2f}x"
        case = f"{row.threads:>7} {row.net:14}{row.batch:>6} {row.optimizer:10}"
        print(
            f"{case}{theirs:>8} {row.variant:22}{row.ours:>8.3f}"
            f"{ratio:>13}{row.product_share:>10.0%}{row.product_speed:>9.0f}{row.fastest_speed:>9.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
