"""`fit`: what it does to weights, and that the same arguments give the same bytes."""

import io
import sys

import numpy as np
import pytest

from paring import nn
from paring.training.fitting import fit
from paring.training.fitting.callbacks import Callback
from paring.training.fitting.history import History
from paring.training.fitting.measuring import measure
from paring.training.fitting.objectives import Objective
from paring.training.losses import CrossEntropy, MeanSquaredError
from paring.training.metrics import accuracy, top_k_accuracy
from paring.training.optimizers import SGD, Adam
from paring.training.optimizers.regularizers import L1
from paring.training.plateau import ReduceOnPlateau
from paring.training.schedules import Exponential
from paring.training.stopping import EarlyStopping

RNG = np.random.default_rng(0)
X = RNG.standard_normal((203, 6)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(np.int64) + 2 * (X[:, 2] > 0)
DATA = (X, Y)
HELD = (X[:50], Y[:50])


def net(dropout=0.0, norm=False, seed=0):
    layers = [nn.Linear(6, 20), *([nn.BatchNorm1d(20)] if norm else []), nn.ReLU()]
    layers += [*([nn.Dropout(dropout)] if dropout else []), nn.Linear(20, 4)]
    return nn.Model(nn.Sequential(*layers), (None, 6), seed=seed)


def train(model, data=DATA, **options):
    options = {"loss": CrossEntropy(), "optimizer": Adam(0.01), "epochs": 2, "batch_size": 20, **options}
    return fit(model, data, **options)


def bytes_of(model):
    return b"".join(value.tobytes() for value in model.state_dict().values())


class TestLearning:
    def test_it_learns(self):
        model = net()
        history = train(model, epochs=60, validation=HELD, metrics=[accuracy])
        assert history["accuracy"][-1] > 0.95
        assert history["loss"][-1] < 0.3 < history["loss"][0]
        assert history["steps.loss"].shape == (60 * 11,)
        assert history.completed_epochs == 60

    def test_a_step_is_the_optimizer_on_the_mean_gradient(self):
        model, twin = net(), net()
        history = train(model, (X[:20], Y[:20]), epochs=1, optimizer=SGD(0.5))
        before = {name: value.copy() for name, value in twin.state_dict().items()}
        # One product in float64 by hand: the last layer's bias moves against the mean of softmax - one-hot.
        outputs = twin(X[:20]).astype(np.float64)
        shares = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        shares[np.arange(20), Y[:20]] -= 1
        wanted = before["2.bias"] - 0.5 * shares.mean(axis=0)
        np.testing.assert_allclose(model.state_dict()["2.bias"], wanted, rtol=1e-5)
        assert history["loss"][0] == pytest.approx(
            measure(twin, (X[:20], Y[:20]), loss=CrossEntropy())["loss"]
        )

    def test_accumulated_batches_are_one_large_batch(self):
        large, small = net(), net()
        train(large, batch_size=40, shuffle=False)
        train(small, batch_size=20, accumulate=2, shuffle=False)
        for name, value in large.state_dict().items():
            np.testing.assert_allclose(small.state_dict()[name], value, rtol=2e-4, atol=2e-5)

    def test_a_schedule_is_followed(self):
        history = train(net(), optimizer=SGD(Exponential(0.1, 0.9)), epochs=1)
        np.testing.assert_allclose(history["steps.learning_rate"], 0.1 * 0.9 ** np.arange(11))

    def test_frozen_weights_and_statistics_stay(self):
        model = net(norm=True)
        model.freeze("0.*")
        before = {name: value.copy() for name, value in model.state_dict().items()}
        train(model)
        after = model.state_dict()
        assert {name for name in after if not np.array_equal(before[name], after[name])} == {
            "1.weight",
            "1.bias",
            "1.running_mean",
            "1.running_var",
            "3.weight",
            "3.bias",
        }

    def test_statistics_move_as_in_training(self):
        model = net(norm=True)
        twin = net(norm=True)
        train(model, (X[:20], Y[:20]), epochs=1, shuffle=False)
        hidden = X[:20] @ twin.state_dict()["0.weight"].T + twin.state_dict()["0.bias"]
        np.testing.assert_allclose(
            model.state_dict()["1.running_mean"], 0.1 * hidden.mean(axis=0), rtol=1e-4, atol=1e-6
        )

    @pytest.mark.parametrize("where", ["explicit", "zeros"])
    def test_masked_weights_stay_zero(self, where):
        model = net()
        mask = np.random.default_rng(1).random((20, 6)) < 0.5
        masks = {"0.weight": mask}
        if where == "zeros":
            model.state_dict()["0.weight"][~mask] = 0
            masks = "zeros"
        history = train(model, masks=masks, optimizer=Adam(0.01, weight_decay=0.1), epochs=20)
        assert history["loss"][-1] < history["loss"][0]
        weight = model.state_dict()["0.weight"]
        np.testing.assert_array_equal(weight != 0, mask)
        assert not np.signbit(weight[~mask]).any()

    def test_regularizers_come_with_the_optimizer(self):
        model = net()
        train(model, optimizer=SGD(0.05, regularizers=[L1(0.05, match="0.weight")]), epochs=20)
        assert 0.2 < np.mean(model.state_dict()["0.weight"] == 0) < 1

    def test_several_inputs_by_name_and_an_objective(self):
        a, b = nn.Input((None, 3), name="a"), nn.Input((None, 3), name="b")
        model = nn.Model([a, b], {"sum": nn.Linear(3, 1)(a) + nn.Linear(3, 1)(b), "left": nn.Linear(3, 1)(a)})

        class Both(Objective):
            def value_and_gradients(self, outputs, batch):
                parts = {
                    name: MeanSquaredError().value_and_gradient(outputs[name], batch.targets)
                    for name in outputs
                }
                return sum(part[0] for part in parts.values()), {
                    name: part[1] for name, part in parts.items()
                }

        target = X[:, :1] + X[:, 3:4]
        history = fit(
            model,
            ({"a": X[:, :3], "b": X[:, 3:]}, target),
            loss=Both(),
            optimizer=Adam(0.05),
            epochs=30,
            batch_size=20,
        )
        assert history["loss"][-1] < 0.6 * history["loss"][0]


class TestOrder:
    @pytest.mark.parametrize("options", [{}, {"dropout": 0.3}, {"norm": True}], ids=str)
    def test_same_arguments_same_bytes(self, options):
        models = [net(**options) for _ in range(2)]
        histories = [train(model, seed=3) for model in models]
        assert bytes_of(models[0]) == bytes_of(models[1])
        assert histories[0] == histories[1]
        other = net(**options)
        train(other, seed=4)
        assert bytes_of(other) != bytes_of(models[0])

    def test_every_example_once_an_epoch(self):
        seen = []

        class Spy(Objective):
            def value_and_gradients(self, outputs, batch):
                seen.extend(batch.targets.tolist())
                return 0.0, {name: np.zeros_like(value) for name, value in outputs.items()}

        fit(net(), (X, np.arange(203)), loss=Spy(), optimizer=SGD(0.1), epochs=2, batch_size=20)
        assert sorted(seen[:203]) == sorted(seen[203:]) == list(range(203))
        assert seen[:203] != seen[203:]

    def test_batches_of_somebody_else(self):
        given = [(X[i : i + 20], Y[i : i + 20]) for i in range(0, 203, 20)]
        one, other = net(), net()
        train(one, given)
        train(other, shuffle=False)
        assert bytes_of(one) == bytes_of(other)

    def test_one_example_left_over_joins_the_batch_before(self):
        history = train(net(norm=True), (X[:41], Y[:41]), epochs=1)
        assert len(history["steps.loss"]) == 2

    def test_a_share_for_validation(self):
        history = train(net(), validation=0.2)
        assert set(history.epochs) == {"loss", "validation_loss"}
        assert len(history["steps.loss"]) == 2 * 9  # 162 examples


class TestScores:
    def test_the_best_weights_are_kept(self):
        kept = {}

        class Keep(Callback):
            def on_epoch(self, trainer):
                kept[trainer.epoch] = bytes_of(trainer.model)

        model = net()
        history = train(
            model,
            (X[:60], Y[:60]),
            epochs=40,
            optimizer=Adam(0.1),
            validation=(X[60:], Y[60:]),
            callbacks=[Keep()],
        )
        assert history.best_epoch == int(history["validation_loss"].argmin()) < 39
        assert bytes_of(model) == kept[history.best_epoch] != kept[39]

    def test_stopping_early(self):
        history = train(
            net(),
            (X[:60], Y[:60]),
            epochs=400,
            optimizer=Adam(0.1),
            validation=(X[60:], Y[60:]),
            stop=EarlyStopping(5),
        )
        assert history.stopped == "validation_loss has not become better for 5 epochs"
        assert history.completed_epochs == history.best_epoch + 6 < 400

    def test_a_metric_is_watched(self):
        history = train(
            net(),
            epochs=5,
            validation=HELD,
            metrics=[accuracy],
            watch="accuracy",
            stop=EarlyStopping(5, mode="max"),
        )
        assert history.best_epoch == int(history["accuracy"].argmax())

    def test_a_plateau_lowers_the_rate(self):
        plateau = ReduceOnPlateau(0.1, factor=0.5, patience=0, threshold=0.9)
        history = train(net(), optimizer=SGD(7.0), plateau=plateau, epochs=4, batch_size=203)
        np.testing.assert_allclose(history["steps.learning_rate"], [0.1, 0.1, 0.05, 0.025])

    def test_metrics_by_name(self):
        found = measure(net(), HELD, metrics={"two": lambda y, t: top_k_accuracy(y, t, 2), "one": accuracy})
        assert 0 <= found["one"] <= found["two"] <= 1


class TestCallbacks:
    def test_moments_in_order(self):
        moments = []

        class Watching(Callback):
            def on_start(self, trainer):
                moments.append("start")

            def on_step(self, trainer):
                moments.append(trainer.step)

            def on_epoch(self, trainer):
                moments.append(f"epoch {trainer.epoch}")

            def on_end(self, trainer):
                moments.append("end")

        train(net(), batch_size=102, callbacks=[Watching()])
        assert moments == ["start", 1, 2, "epoch 0", 3, 4, "epoch 1", "end"]

    def test_a_callback_prunes_and_stops(self):
        class Pruning(Callback):
            def on_epoch(self, trainer):
                weight = trainer.stepper.weights["0.weight"]
                trainer.set_masks(
                    {"0.weight": np.abs(weight) > np.quantile(np.abs(weight), 0.25 * (trainer.epoch + 1))}
                )
                if trainer.epoch == 2:
                    trainer.stop("sparse enough")

        model = net()
        history = train(model, epochs=9, callbacks=[Pruning()])
        assert history.stopped == "sparse enough"
        assert np.mean(model.state_dict()["0.weight"] == 0) == pytest.approx(0.75, abs=0.01)


class TestProgress:
    def test_nothing_is_printed_unless_asked(self, capsys):
        train(net(), validation=HELD)
        assert capsys.readouterr() == ("", "")

    def test_lines_where_nothing_can_move(self, capsys):
        train(net(), progress=True, validation=HELD, metrics=[accuracy])
        out, err = capsys.readouterr()
        assert out == ""
        lines = err.splitlines()
        assert len(lines) == 2
        assert lines[1].startswith("epoch 2 of 2  loss ")
        assert all(word in lines[1] for word in ("validation loss", "accuracy", "rate 0.01", "0 s left"))

    def test_a_bar_on_a_terminal(self, monkeypatch):
        class Terminal(io.StringIO):
            def isatty(self):
                return True

        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setenv("TERM", "xterm")
        train(net(), progress=True, validation=HELD)
        assert "epoch 2/2" in terminal.getvalue()
        assert "validation loss" in terminal.getvalue()

    def test_a_function_sees_every_step(self):
        records = []
        history = train(net(), progress=records.append, validation=HELD)
        assert [record.step for record in records if not record.ended] == list(range(1, 23))
        last = records[-1]
        assert (last.ended, last.epoch, last.epochs, last.epoch_steps) == (True, 1, 2, 11)
        assert last.loss == history["loss"][-1]
        assert last.scores == {"validation_loss": history["validation_loss"][-1]}


class TestHistory:
    def test_there_and_back(self):
        history = train(net(), validation=HELD, metrics=[accuracy])
        history.steps["loss"][0] = float("nan")
        again = History.from_dict(history.to_dict())
        assert again.to_dict() == history.to_dict()
        assert np.isnan(again["steps.loss"][0])

    def test_in_a_line(self):
        history = train(net(), validation=HELD)
        loss, held = (history[name][history.best_epoch] for name in ("loss", "validation_loss"))
        assert repr(history) == (
            f"<History: 22 steps, 2 epochs, epoch 2 the best, loss {loss:.4g}, validation_loss {held:.4g}>"
        )
        assert repr(History()) == "<History: 0 steps, 0 epochs>"

    def test_unknown_series(self):
        with pytest.raises(
            KeyError, match=r"'nope': expected one of loss, steps\.loss, steps\.learning_rate"
        ):
            History()["nope"]

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"steps": {}}, "history.steps: expected loss and learning_rate among them"),
            (
                {"steps": {"loss": [True], "learning_rate": []}},
                "history.steps.loss: expected numbers, got True",
            ),
            ({"epochs": {"loss": 3}}, "history.epochs.loss: expected a list, got int"),
            ({"epochs": 3}, "history.epochs: expected an object, got int"),
            ({"best_epoch": "2"}, "history: expected a number or None, text and true or false"),
            ({"more": 1}, "history: expected the keys steps, epochs, best_epoch, stopped, interrupted"),
        ],
    )
    def test_documents_that_are_none(self, change, message):
        with pytest.raises(ValueError, match=message):
            History.from_dict({**History().to_dict(), **change})

    def test_a_picture(self, tmp_path):
        pytest.importorskip("matplotlib")
        history = train(net(), validation=HELD, metrics=[accuracy])
        for name in ("a.svg", "b.svg"):
            history.plot(tmp_path / name)
        assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
        assert b"learning rate" in (tmp_path / "a.svg").read_bytes()
        with pytest.raises(ValueError, match=r"x\.gif: expected a suffix of \.svg, \.png, \.pdf"):
            history.plot(tmp_path / "x.gif")
        with pytest.raises(ValueError, match="expected at least one step to draw"):
            History().plot()
