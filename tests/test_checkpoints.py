"""Checkpoints: a run that was killed and resumed gives the same bytes as one that was not."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import paring
from paring import nn
from paring.training.fitting.callbacks import Callback
from paring.training.losses import CrossEntropy
from paring.training.optimizers import SGD, Adam, RMSprop
from paring.training.plateau import ReduceOnPlateau
from paring.training.schedules import Cosine
from paring.training.stopping import EarlyStopping
from test_fit import HELD, X, Y, bytes_of, net, train

OPTIMIZERS = [SGD(0.05), SGD(0.05, 0.9), Adam(0.01), RMSprop(0.01, momentum=0.9, centered=True)]


class KilledError(Exception):
    pass


class KillAt(Callback):
    """Ends a run as nothing planned would, after an update."""

    def __init__(self, step=None):
        self.step = step

    def on_step(self, trainer):
        if trainer.step == self.step:
            raise KilledError


def interrupted_and_resumed(path, at, **options):
    """Return a model trained with an interruption, and the history."""
    with pytest.raises(KilledError):
        train(net(0.2, norm=True), checkpoint=path, resume=False, callbacks=[KillAt(at)], **options)
    model = net(0.2, norm=True, seed=9)
    return model, train(model, checkpoint=path, resume=True, callbacks=[KillAt()], **options)


class TestGoingOn:
    @pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)
    @pytest.mark.parametrize("steps", [None, 7], ids=["each epoch", "each 7 steps"])
    def test_the_same_bytes(self, optimizer, steps, tmp_path):
        options = {"optimizer": optimizer, "epochs": 4, "checkpoint_steps": steps, "validation": HELD}
        whole = net(0.2, norm=True)
        wanted = train(whole, checkpoint=tmp_path / "whole.safetensors", callbacks=[KillAt()], **options)
        for at in (12, 26, 43):
            path = tmp_path / f"{at}.safetensors"
            model, history = interrupted_and_resumed(path, at, **options)
            assert bytes_of(model) == bytes_of(whole)
            assert history == wanted
            assert path.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()

    def test_masks_plateau_and_stopping_go_on(self, tmp_path):
        options = {
            "epochs": 60,
            "optimizer": SGD(1.0),
            "plateau": ReduceOnPlateau(0.5, factor=0.5, patience=1),
            "stop": EarlyStopping(6),
            "masks": {"0.weight": np.random.default_rng(0).random((20, 6)) < 0.5},
            "validation": HELD,
        }
        whole = net(0.2, norm=True)
        wanted = train(whole, **options)
        assert len(set(wanted["steps.learning_rate"])) > 1
        model, history = interrupted_and_resumed(tmp_path / "c.safetensors", 50, **options)
        assert history == wanted
        assert bytes_of(model) == bytes_of(whole)

    def test_more_epochs(self, tmp_path):
        path = tmp_path / "c.safetensors"
        model, whole = net(), net()
        train(model, epochs=2, checkpoint=path)
        history = train(model, epochs=5, checkpoint=path, resume=True)
        train(whole, epochs=5)
        assert history.completed_epochs == 5
        assert bytes_of(model) == bytes_of(whole)

    def test_a_run_that_is_complete_does_nothing(self, tmp_path):
        path = tmp_path / "c.safetensors"
        train(net(), checkpoint=path)
        model = net(seed=5)
        history = train(model, checkpoint=path, resume=True)
        assert history.completed_epochs == 2
        assert bytes_of(model) == b"".join(
            paring.read(path)[f"model/{name}"].tobytes() for name in model.state_dict()
        )

    def test_callbacks_remember(self, tmp_path):
        class Counting(Callback):
            count = 0

            def on_step(self, trainer):
                self.count += 1

            def to_dict(self):
                return {"count": self.count}

            def restore(self, document):
                self.count = document["count"]

        path = tmp_path / "c.safetensors"
        train(net(), checkpoint=path, callbacks=[Counting()])
        counting = Counting()
        train(net(), checkpoint=path, epochs=3, resume=True, callbacks=[counting])
        assert counting.count == 33
        with pytest.raises(ValueError, match="expected 1 callbacks as then, got 0"):
            train(net(), checkpoint=path, epochs=3, resume=True)

    def test_a_file_that_is_there_is_not_overwritten_unasked(self, tmp_path):
        path = tmp_path / "c.safetensors"
        train(net(), checkpoint=path)
        before = path.read_bytes()
        with pytest.raises(
            ValueError, match=r"c.safetensors: is there already: resume=True goes on .*, resume=False"
        ):
            train(net(), checkpoint=path)
        assert path.read_bytes() == before

    def test_a_changed_setting(self, tmp_path):
        path = tmp_path / "c.safetensors"
        train(net(), optimizer=SGD(Cosine(0.1, 22)), checkpoint=path)
        longer = SGD(Cosine(0.1, 44))
        with pytest.raises(
            ValueError, match=r"optimizer.learning_rate.steps: 22 in the document, 44 now; pass allow"
        ):
            train(net(), optimizer=longer, epochs=4, checkpoint=path, resume=True)
        history = train(net(), optimizer=longer, epochs=4, checkpoint=path, resume=True, allow_change=True)
        assert history.completed_epochs == 4

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"batch_size": 10}, "data.batch_size: 20 in the document, 10 now"),
            ({"seed": 1}, "seed: 0 in the document, 1 now"),
            (
                {"loss": CrossEntropy(label_smoothing=0.1)},
                "objective.loss.label_smoothing: 0.0 in the document, 0.1 now",
            ),
            ({"optimizer": Adam(0.02)}, "optimizer.learning_rate: 0.01 in the document, 0.02 now"),
            ({"accumulate": 2}, "accumulate: 1 in the document, 2 now"),
            ({"stop": EarlyStopping(3)}, "watch.judge.patience"),
            ({"optimizer": SGD(0.1)}, "was made with the optimizer Adam, not SGD"),
            ({"data": (X[:100], Y[:100])}, r"data.arrays.input\[1\]: 203 in the document, 100 now"),
        ],
        ids=str,
    )
    def test_other_settings(self, options, message, tmp_path):
        path = tmp_path / "c.safetensors"
        train(net(), checkpoint=path)
        with pytest.raises(ValueError, match=message):
            train(net(), **{"checkpoint": path, "resume": True, **options})

    def test_another_model(self, tmp_path):
        path = tmp_path / "c.safetensors"
        train(net(), checkpoint=path)
        with pytest.raises(ValueError, match="is the checkpoint of another model: graph and shapes differ"):
            train(net(norm=True), checkpoint=path, resume=True)
        frozen = net()
        frozen.freeze("0.*")
        with pytest.raises(
            ValueError, match="is the checkpoint of another model: names of trained weights differ"
        ):
            train(frozen, checkpoint=path, resume=True)


class TestBrokenFiles:
    @pytest.fixture
    def path(self, tmp_path):
        train(net(), checkpoint=tmp_path / "c.safetensors", validation=HELD)
        return tmp_path / "c.safetensors"

    def refuse(self, path, message):
        model = net()
        before = bytes_of(model)
        with pytest.raises(paring.FormatError, match=message):
            train(model, epochs=3, checkpoint=path, resume=True, validation=HELD)
        assert bytes_of(model) == before

    @pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
    def test_cut_short(self, path, share):
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * share)])
        self.refuse(path, "c.safetensors")

    def test_no_checkpoint(self, path):
        paring.write(path, {"w": X})
        self.refuse(path, "expected a checkpoint of paring.fit, got a file without 'paring.checkpoint'")

    def rewritten(self, path, arrays=None, **changes):
        file = paring.read(path)
        document = json.loads(file.metadata["paring.checkpoint"])
        tensors = {name: np.array(file[name]) for name in file}
        document |= changes
        for name, value in (arrays or {}).items():
            tensors.pop(name, None)
            if value is not None:
                tensors[name] = value
        document = {key: value for key, value in document.items() if value != "left out"}
        paring.write(path, tensors, metadata={"paring.checkpoint": json.dumps(document)})

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"version": 9}, "expected version 1; it is of another paring"),
            ({"epoch": -1}, "expected counts from 0 up, got"),
            ({"epoch": "2"}, "expected counts from 0 up, got"),
            ({"history": "left out"}, "got a damaged one: 'history'"),
            ({"lost": 3}, "got a damaged one"),
            ({"callbacks": 3}, "expected a list of callbacks, got int"),
            ({"judged": None}, "got a damaged one"),
            ({"settings": {}}, "got a damaged one: 'model'"),
        ],
        ids=str,
    )
    def test_documents(self, path, changes, message):
        self.rewritten(path, **changes)
        self.refuse(path, message)

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("model/0.weight", None, "expected the arrays 0.bias, 0.weight, 2.bias, 2.weight in 'model'"),
            (
                "model/0.weight",
                X,
                r"model/0.weight: expected float32 of shape \(20, 6\), got float32 of shape \(203, 6\)",
            ),
            ("best/0.bias", np.zeros(20), "best/0.bias: expected float32 .*, got float64"),
            ("optimizer/exp_avg/0.bias", None, "expected the slots exp_avg, exp_avg_sq of '0.bias'"),
            ("optimizer/exp_avg/0.bias", X, r"optimizer/exp_avg/0.bias: expected float32 of shape \(20,\)"),
            ("optimizer/exp_avg/nope", X, "expected the optimizer's state of trained weights only"),
            ("optimizer/step", None, "step"),
            ("mask/nope", X > 0, "masks: expected names of trained weights, got 'nope'"),
            ("other/x", X, "expected names such as 'model/fc.weight', got 'other/x'"),
        ],
    )
    def test_arrays(self, path, name, value, message):
        self.rewritten(path, {name: value})
        self.refuse(path, message)


CHILD = """
import sys
sys.path.insert(0, {tests!r})
from test_fit import HELD, bytes_of, net, train
model = net(0.2, norm=True)
train(model, epochs=12, checkpoint={path!r}, checkpoint_steps=5, resume=True, validation=HELD)
sys.stdout.buffer.write(bytes_of(model))
"""


def test_a_run_that_is_killed_again_and_again(tmp_path):
    """SIGKILL at random moments, writing a checkpoint among them, until a run gets to its end."""
    whole = net(0.2, norm=True)
    train(whole, epochs=12, validation=HELD)
    path = tmp_path / "c.safetensors"
    code = CHILD.format(tests=str(Path(__file__).parent), path=str(path))
    chance = random.Random(0)
    kills = 0
    for attempt in range(60):
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if kills < 4 or attempt < 6:
            patience = time.monotonic() + 30
            size = path.stat().st_mtime_ns if path.exists() else 0
            while child.poll() is None and time.monotonic() < patience:
                now = path.stat().st_mtime_ns if path.exists() else 0
                if now != size:
                    time.sleep(chance.random() * 0.03)
                    os.kill(child.pid, signal.SIGKILL)
                    break
                time.sleep(0.001)
        out, err = child.communicate(timeout=60)
        if child.returncode == 0:
            break
        assert child.returncode == -signal.SIGKILL, err.decode()
        kills += 1
    assert kills >= 2
    assert out == bytes_of(whole)
    assert [entry.name for entry in tmp_path.iterdir()] == ["c.safetensors"]


def test_a_checkpoint_of_a_compressed_model_keeps_what_is_trained(tmp_path):
    model = nn.Model(nn.Sequential(nn.Linear(6, 200), nn.ReLU(), nn.Linear(200, 4)), (None, 6))
    compressed = model.compress(paring.Recipe([paring.QuantizeStep(match="0.weight")]))
    train(compressed, checkpoint=tmp_path / "c.safetensors")
    again = model.compress(paring.Recipe([paring.QuantizeStep(match="0.weight")]))
    train(again, epochs=3, checkpoint=tmp_path / "c.safetensors", resume=True)
    train(compressed, epochs=3, checkpoint=tmp_path / "c.safetensors", resume=True)
    assert type(again.state_dict()["0.weight"]).__name__ == "QuantizedWeight"
    for name in ("0.bias", "2.weight", "2.bias"):
        assert again.state_dict()[name].tobytes() == compressed.state_dict()[name].tobytes()
