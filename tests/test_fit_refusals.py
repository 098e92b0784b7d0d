"""What `fit` refuses, what it does when numbers leave the finite ones, and how it ends when it is interrupted."""

import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from paring import nn
from paring.graph.ops import OPERATORS
from paring.training.fitting.callbacks import Callback
from paring.training.fitting.divergence import DivergedError
from paring.training.fitting.measuring import measure
from paring.training.losses import CrossEntropy, MeanSquaredError
from paring.training.metrics import accuracy
from paring.training.optimizers import SGD, Adam
from paring.training.plateau import ReduceOnPlateau
from paring.training.stopping import EarlyStopping
from test_fit import DATA, HELD, X, Y, bytes_of, net, train

IDENTITY = nn.Model(nn.Flatten(), (None, 6))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"optimizer": Adam}, TypeError, "optimizer: expected one of paring.training.optimizers, got Adam"),
        (
            {"loss": CrossEntropy},
            TypeError,
            "loss: expected one of paring.training.losses, or an Objective, got Cross",
        ),
        (
            {"loss": "mse"},
            TypeError,
            "loss: expected one of paring.training.losses, or an Objective, got str",
        ),
        ({"epochs": 0}, ValueError, "epochs: expected an integer from 1"),
        ({"batch_size": 0}, ValueError, "batch_size: expected an integer from 1"),
        ({"accumulate": 0}, ValueError, "accumulate: expected an integer from 1"),
        ({"seed": -1}, ValueError, "seed: expected an integer from 0"),
        ({"checkpoint_steps": 0}, ValueError, "checkpoint_steps: expected an integer from 1"),
        (
            {"callbacks": [print]},
            TypeError,
            "callbacks: expected Callback objects, got builtin_function_or_method",
        ),
        (
            {"metrics": [accuracy]},
            ValueError,
            "metrics: expected validation data to measure them on, got none",
        ),
        ({"metrics": accuracy}, TypeError, "metrics: expected a list of functions, got function"),
        ({"metrics": [3]}, TypeError, r"metrics: expected functions of \(outputs, targets\), got int"),
        ({"metrics": {"loss": accuracy}}, ValueError, "metrics: expected a name other than loss"),
        (
            {"metrics": [accuracy, accuracy]},
            ValueError,
            "metrics: expected names of their own, got one twice",
        ),
        ({"watch": "nope"}, ValueError, "watch: expected one of loss, got 'nope'"),
        (
            {"watch": "accuracy", "validation": HELD},
            ValueError,
            "watch: expected one of loss, validation_loss, got",
        ),
        ({"mode": "best"}, ValueError, "mode: expected 'min' or 'max', got 'best'"),
        ({"stop": 3}, TypeError, "stop: expected an EarlyStopping, got int"),
        (
            {"stop": EarlyStopping(2), "mode": "max"},
            ValueError,
            "stop: expected mode 'max', by which 'loss' is watched, got 'min'",
        ),
        (
            {"stop": EarlyStopping(2), "validation": HELD, "metrics": [accuracy], "watch": "accuracy"},
            ValueError,
            "stop: expected mode 'max', by which 'accuracy' is watched, got 'min': give it the same, or fit mode='min'",
        ),
        ({"plateau": 0.1}, TypeError, "plateau: expected a ReduceOnPlateau or a ScoreSchedule, got float"),
        (
            {"plateau": ReduceOnPlateau(0.1, mode="max")},
            ValueError,
            "plateau: expected mode 'min', by which 'loss' is watched, got 'max'",
        ),
        ({"keep_best": 1}, TypeError, "keep_best: expected True, False or None, got int"),
        (
            {"validation": 1.5},
            ValueError,
            "validation: expected a finite number above 0 and below 1, got 1.5",
        ),
        (
            {"validation": 0.001},
            ValueError,
            "validation: expected a share that leaves examples on both sides, got 0 of",
        ),
        ({"masks": [1]}, TypeError, "masks: expected a mapping of names to arrays, got list"),
        ({"masks": {"nope": X > 0}}, ValueError, "masks: expected names of trained weights, got 'nope'"),
        (
            {"masks": {"0.bias": X > 0}},
            ValueError,
            r"masks\['0.bias'\]: expected shape \(20,\), got \(203, 6\)",
        ),
        ({"masks": {"0.bias": X}}, TypeError, r"masks\['0.bias'\]: expected an array of bool, got float32"),
        ({"resume": True}, ValueError, "resume: expected a checkpoint to go on from, got none"),
        (
            {"checkpoint": "a.npz"},
            ValueError,
            r"checkpoint: expected a file called \*.safetensors, got a.npz",
        ),
        (
            {"checkpoint": "no/a.safetensors"},
            FileNotFoundError,
            "no: no such folder to write a checkpoint into",
        ),
        ({"progress": 3}, TypeError, "progress: expected True, False, or a function, got int"),
        (
            {"optimizer": SGD(lambda step: 1.0 - step)},
            ValueError,
            "learning_rate at step 2: expected a finite number",
        ),
    ],
)
def test_arguments(options, error, message):
    with pytest.raises(error, match=message):
        train(net(), **options)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ((X, Y.astype(float)), TypeError, "targets: expected integer labels"),
        ((X, Y + 1), ValueError, "data: expected labels from 0 to 3, got 4 among the targets"),
        ((X, Y - 1), ValueError, "data: expected labels from 0 to 3, got -1 among the targets"),
        (
            (X, np.full(203, 2)),
            ValueError,
            "data: expected labels of at least two classes, got 2 in all 203 targets",
        ),
        ((X[:0], Y[:0]), ValueError, "data: expected at least one example, got none"),
        (
            (X, Y[:-1]),
            ValueError,
            "data: expected as many examples in every array, got input 203, targets 202",
        ),
        ((X, None), ValueError, "data: expected targets beside the inputs, got None"),
        ((X, list(Y)), TypeError, "data: expected an array of targets or None, got list"),
        ((X[:, :5], Y), ValueError, r"data: expected shape \(None, 6\) for input 'input', got \(203, 5\)"),
        (
            (X.astype(float), Y),
            TypeError,
            "data: expected an array of float32 for input 'input', got float64",
        ),
        (({"x": X}, Y), ValueError, "data: expected inputs input, got x"),
        (
            (X.tolist(), Y),
            TypeError,
            "data: expected an array, or a tuple of arrays, for the inputs, got list of list",
        ),
        (((X, X), Y), ValueError, r"data: expected 1 inputs \(input\), got 2"),
        (X, TypeError, r"data: expected \(inputs, targets\), or an iterable of such batches, got ndarray"),
        (
            (X, Y, Y),
            TypeError,
            r"data: expected \(inputs, targets\), or an iterable of such batches, got tuple",
        ),
        (
            iter([(X, Y)]),
            TypeError,
            "data: expected arrays, or something that can be gone through again each epoch",
        ),
        ([], ValueError, "data: expected at least one batch, got none"),
        ([X], TypeError, r"data: expected batches \(inputs, targets\), got ndarray as number 0"),
        ([(X, Y), (X, Y[:3])], ValueError, "batch 1: expected as many examples in every array"),
        ([(X, Y + 9)], ValueError, r"targets\[0\]: expected a label from 0 to 3"),
    ],
)
def test_data(data, error, message):
    with pytest.raises(error, match=message):
        train(net(), data)


def test_a_share_of_batches_cannot_be_cut():
    with pytest.raises(
        TypeError, match="validation: expected data of its own, since a share can be cut from arrays"
    ):
        train(net(), [(X, Y)], validation=0.5)


def test_models():
    with pytest.raises(TypeError, match=r"model: expected a paring.nn.Model, got Linear"):
        train(nn.Linear(6, 4))
    with pytest.raises(ValueError, match="model: expected weights to train, got none"):
        train(IDENTITY)
    two = nn.Input((None, 6))
    model = nn.Model(two, {"a": nn.Linear(6, 4)(two), "b": nn.Linear(6, 4)(two)})
    with pytest.raises(ValueError, match="loss: expected a model of one output, got a, b: give an Objective"):
        train(model)


def test_one_example_at_a_time_with_batch_norm():
    with pytest.raises(ValueError, match="BatchNormalization node '1'"):
        train(net(norm=True), batch_size=1)


def test_an_operator_without_a_gradient_is_named(monkeypatch):
    monkeypatch.setitem(OPERATORS, "Relu", replace(OPERATORS["Relu"], gradient=None))
    with pytest.raises(ValueError, match=r"Relu node '1': Relu has no gradient, which .* needs"):
        train(net())


class TestDivergence:
    def test_the_first_layer_and_step_are_named(self):
        model = net()
        train(model)
        before = bytes_of(model)
        bad = X.copy()
        bad[150, 3] = np.nan
        with pytest.raises(
            DivergedError, match=r"step 7 \(epoch 0\): input 'input' holds NaN or infinity"
        ) as found:
            train(model, (bad, Y), shuffle=False)
        assert (found.value.step, found.value.epoch) == (7, 0)
        assert np.isfinite(np.frombuffer(bytes_of(model), np.float32)).all()
        assert bytes_of(model) != before

    def test_values_that_overflow(self):
        x = nn.Input((None, 6))
        model = nn.Model(x, nn.Linear(4, 4)(nn.Linear(6, 4)(x)))
        names = list(model.state_dict())
        model.state_dict()[names[0]][...] = 3e38
        before = bytes_of(model)
        with pytest.raises(
            DivergedError, match=r"step 0.*the output of Gemm node .* is the first that is not finite"
        ):
            train(model)
        assert bytes_of(model) == before

    def test_a_rate_that_is_too_high(self):
        model = net()
        x = X * 100
        with pytest.raises(
            DivergedError, match="the model has the weights of before: try a lower learning rate"
        ):
            train(model, (x, x[:, :4]), loss=MeanSquaredError(), optimizer=SGD(10.0), epochs=50)
        assert np.isfinite(np.frombuffer(bytes_of(model), np.float32)).all()

    def test_weights_that_overflow(self):
        """The step that spoils them has finite gradients: it is seen at the next, and the epoch's start comes back."""
        model = nn.Model(nn.Linear(1, 1, bias=False), (None, 1))
        model.state_dict()["weight"][...] = 1
        x, y = np.full((8, 1), 10, np.float32), np.full((8, 1), -10, np.float32)
        with pytest.raises(
            DivergedError,
            match=r"step 1 \(epoch 0\): weight 'weight' holds NaN or infinity; the model has the weights from",
        ):
            train(model, (x, y), loss=MeanSquaredError(), optimizer=SGD(1e38), batch_size=2)
        assert model.state_dict()["weight"] == 1

    @pytest.mark.parametrize("options", [{}, {"validation": True}, {"checkpoint": "c.safetensors"}], ids=str)
    def test_the_last_step_of_an_epoch(self, options, tmp_path):
        """Nothing is measured or written of weights that are spoilt."""
        model = nn.Model(nn.Linear(1, 1, bias=False), (None, 1))
        model.state_dict()["weight"][...] = 1
        data = np.full((8, 1), 10, np.float32), np.full((8, 1), -10, np.float32)
        options = {
            name: data if name == "validation" else tmp_path / value for name, value in options.items()
        }
        with pytest.raises(DivergedError, match=r"step 1 \(epoch 0\): weight 'weight' holds NaN or infinity"):
            train(model, data, loss=MeanSquaredError(), optimizer=SGD(1e38), batch_size=8, **options)
        assert model.state_dict()["weight"] == 1
        assert list(tmp_path.iterdir()) == []

    def test_outputs_that_overflow_on_validation_data(self):
        model = nn.Model(nn.Linear(1, 1, bias=False), (None, 1))
        x = np.ones((4, 1), np.float32)
        with pytest.raises(DivergedError, match=r"step 1 \(epoch 0\): validation: outputs"):
            train(model, (x, x), loss=MeanSquaredError(), optimizer=SGD(1e10), validation=(x * 1e38, x))

    def test_gradients_that_overflow(self):
        model = nn.Model(nn.Linear(1, 1, bias=False), (None, 1))
        model.state_dict()["weight"][...] = 1
        x, y = np.full((2, 1), 1e25, np.float32), np.full((2, 1), -1e25, np.float32)
        with pytest.raises(DivergedError, match="gradient"):
            train(model, (x, y), loss=MeanSquaredError(), optimizer=SGD(0.1))
        assert model.state_dict()["weight"] == 1

    def test_statistics_are_put_back(self):
        model = net(norm=True)
        bad = X[:40].copy()
        bad[30] = np.inf
        before = bytes_of(model)
        with pytest.raises(DivergedError):
            train(model, (bad, Y[:40]), accumulate=2, shuffle=False)
        assert bytes_of(model) == before


class TestInterrupts:
    class Interrupting(Callback):
        def __init__(self, step):
            self.step = step

        def on_step(self, trainer):
            if trainer.step == self.step:
                raise KeyboardInterrupt

    def test_it_ends_with_the_best_weights(self):
        model = net()
        history = train(model, epochs=9, validation=HELD, callbacks=[self.Interrupting(40)])
        assert (history.interrupted, history.stopped, history.completed_epochs) == (True, "interrupted", 3)
        best = net()
        train(best, epochs=history.best_epoch + 1, validation=HELD)
        assert bytes_of(model) == bytes_of(best)

    def test_without_validation_it_ends_with_those_of_now(self):
        model = net()
        train(model, callbacks=[self.Interrupting(11)])
        whole = net()
        train(whole, epochs=1)
        assert bytes_of(model) == bytes_of(whole)

    def test_an_interrupt_can_be_gone_on_from(self, tmp_path):
        path = tmp_path / "c.safetensors"
        model, whole = net(), net()
        train(model, epochs=4, checkpoint=path, callbacks=[self.Interrupting(30)])
        train(model, epochs=4, checkpoint=path, resume=True, callbacks=[Callback()])
        train(whole, epochs=4)
        assert bytes_of(model) == bytes_of(whole)


def test_measuring_refuses():
    with pytest.raises(ValueError, match="metrics: expected targets beside the inputs, got None"):
        measure(net(), (X, None), metrics=[accuracy])
    with pytest.raises(ValueError, match="data: expected shape"):
        measure(net(), (DATA[0][:, :2], Y), metrics=[accuracy])


CHILD = """
import sys
sys.path.insert(0, {tests!r})
import numpy as np
from test_fit import HELD, bytes_of, net, train
model = net(0.2, norm=True)
print("ready", flush=True)
history = train(model, epochs=100_000, validation=HELD)
assert history.interrupted and history.stopped == "interrupted"
assert np.isfinite(np.frombuffer(bytes_of(model), np.float32)).all()
again = net(0.2, norm=True)
if history.best_epoch is not None:
    train(again, epochs=history.best_epoch + 1, validation=HELD)
    assert bytes_of(model) == bytes_of(again)
print("best", history.best_epoch)
"""


@pytest.mark.parametrize("seed", range(3))
def test_an_interrupt_at_any_moment(seed):
    code = CHILD.format(tests=str(Path(__file__).parent))
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    assert child.stdout.readline() == b"ready\n"
    time.sleep(0.1 + random.Random(seed).random())
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err.decode()
    assert out.startswith(b"best ")
