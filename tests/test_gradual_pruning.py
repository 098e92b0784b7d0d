"""Pruning while training: the schedule, that zeros stay, and what is refused."""

import numpy as np
import pytest

import paring
from paring import nn
from paring.training.fitting.callbacks import Callback
from paring.training.metrics import accuracy
from paring.training.optimizers import SGD, Adam
from paring.training.pruning.gradual import GradualPruning
from test_fit import DATA, HELD, X, Y, bytes_of, net, train

WEIGHTS = ("0.weight", "2.weight")


def zeros(model, name="0.weight"):
    return float(np.mean(model.state_dict()[name] == 0))


class Watching(Callback):
    """Notes the share of zeros after each update."""

    def __init__(self):
        self.shares = []

    def on_step(self, trainer):
        self.shares.append(zeros(trainer.model))


class TestSchedule:
    def test_the_formula(self):
        pruning = GradualPruning(0.9, start=10, end=110, initial_sparsity=0.3)
        steps = np.arange(10, 111)
        wanted = 0.9 + (0.3 - 0.9) * (1 - (steps - 10) / 100) ** 3
        np.testing.assert_allclose([pruning.sparsity_after(int(step)) for step in steps], wanted, rtol=1e-12)
        assert [pruning.sparsity_after(step) for step in (9, 10, 110, 500)] == [
            0.0,
            pytest.approx(0.3),
            0.9,
            0.9,
        ]

    def test_when_it_prunes(self):
        """From the start every so many updates, and at the end, which is between two of them."""
        watching = Watching()
        train(net(), epochs=3, callbacks=[GradualPruning(0.75, start=4, end=24, every=8), watching])
        shares = np.array([0.0, *watching.shares])
        changes = np.flatnonzero(np.diff(shares)) + 1
        assert changes.tolist() == [12, 20, 24]
        assert shares[24:].tolist() == [0.75] * 10
        wanted = [GradualPruning(0.75, start=4, end=24).sparsity_after(step) for step in (12, 20)]
        np.testing.assert_allclose(shares[[12, 20]], wanted, atol=1 / 120)


class TestTraining:
    @pytest.mark.parametrize(
        "optimizer", [SGD(0.2, 0.9), Adam(0.02, weight_decay=0.01)], ids=["momentum", "Adam"]
    )
    def test_what_is_left_learns(self, optimizer):
        model = net()
        history = train(
            model,
            epochs=60,
            optimizer=optimizer,
            validation=HELD,
            metrics=[accuracy],
            callbacks=[GradualPruning(0.6, end=300, every=20)],
        )
        assert [zeros(model, name) for name in WEIGHTS] == [0.6, 0.6]
        assert history["accuracy"][history.best_epoch] > 0.9

    def test_the_best_epoch_is_as_sparse_as_the_last(self):
        """Epochs before the last pruning do not count, however good they were."""
        model = net()
        history = train(
            model, epochs=30, validation=HELD, callbacks=[GradualPruning(0.95, end=290, every=10)]
        )
        assert zeros(model) == 0.95
        assert history.best_epoch >= 290 // 11
        assert (
            history["validation_loss"][: history.best_epoch].min()
            < history["validation_loss"][history.best_epoch]
        )

    def test_all_weights_together(self):
        model = net()
        model.state_dict()["2.weight"][...] *= 10
        train(
            model,
            epochs=5,
            optimizer=SGD(1e-3),
            callbacks=[GradualPruning(0.5, end=50, every=25, scope="global")],
        )
        first, second = (model.state_dict()[name] for name in WEIGHTS)
        assert ((first == 0).sum() + (second == 0).sum()) / (first.size + second.size) == 0.5
        assert zeros(model) > 0.6 > 0.2 > zeros(model, "2.weight")

    def test_some_weights(self):
        model = net()
        train(model, callbacks=[GradualPruning(0.5, end=20, every=7, match="2.*")])
        assert [zeros(model, name) for name in WEIGHTS] == [0.0, 0.5]

    def test_masks_of_other_weights_stay(self):
        model = net()
        mask = np.random.default_rng(0).random((20, 6)) < 0.5
        train(model, masks={"0.weight": mask}, callbacks=[GradualPruning(0.5, end=20, match="2.*")])
        np.testing.assert_array_equal(model.state_dict()["0.weight"] != 0, mask)
        assert zeros(model, "2.weight") == 0.5

    def test_it_goes_on_after_a_kill(self, tmp_path):
        class Kill(Callback):
            def on_step(self, trainer):
                if trainer.step == 37:
                    raise RuntimeError

        def pruning():
            return GradualPruning(0.8, end=50, every=4)

        path, options = tmp_path / "c.safetensors", {"epochs": 6, "validation": HELD}
        whole, model = net(), net()
        train(whole, callbacks=[pruning(), Callback()], **options)
        with pytest.raises(RuntimeError):
            train(model, checkpoint=path, checkpoint_steps=5, callbacks=[pruning(), Kill()], **options)
        again = net(seed=7)
        options |= {"checkpoint": path, "checkpoint_steps": 5, "resume": True}
        train(again, callbacks=[pruning(), Callback()], **options)
        assert bytes_of(again) == bytes_of(whole)
        with pytest.raises(
            ValueError, match=r"pruning: expected the settings that the run began with, sparsity 0\.8"
        ):
            train(
                net(),
                callbacks=[GradualPruning(0.7, end=50, every=4), Callback()],
                **{**options, "epochs": 9},
            )

    def test_a_pruned_model_keeps_its_zeros_in_a_file(self, tmp_path):
        model = net()
        train(model, callbacks=[GradualPruning(0.5, end=20)])
        model.save(tmp_path / "m.safetensors")
        again = nn.load(tmp_path / "m.safetensors")
        train(again, masks="zeros")
        assert [zeros(again, name) for name in WEIGHTS] == [0.5, 0.5]
        assert paring.Session(again)(X).shape == (203, 4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GradualPruning(0, end=10), "sparsity: expected a finite number above 0 and below 1, got 0"),
        (
            lambda: GradualPruning(1.0, end=10),
            "sparsity: expected a finite number above 0 and below 1, got 1.0",
        ),
        (lambda: GradualPruning(0.5, end=0), "end: expected an integer from 1"),
        (lambda: GradualPruning(0.5, end=10, start=10), "start: expected less than end 10, got 10"),
        (lambda: GradualPruning(0.5, end=10, every=0), "every: expected an integer from 1"),
        (
            lambda: GradualPruning(0.5, end=10, initial_sparsity=0.5),
            "initial_sparsity: expected less than 0.5",
        ),
        (
            lambda: GradualPruning(0.5, end=10, scope="layer"),
            "scope: expected 'tensor' or 'global', got 'layer'",
        ),
    ],
)
def test_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_runs_that_are_refused():
    before = net()
    with pytest.raises(
        ValueError,
        match=r"pruning: expected a run of at least 23 updates \(end\), got one of 22: 90% zeros would not",
    ):
        train(before, callbacks=[GradualPruning(0.9, end=23)])
    assert bytes_of(before) == bytes_of(net())
    with pytest.raises(
        ValueError, match=r"match: expected trained weights of two axes or more, got none for 'fc\*' of"
    ):
        train(net(), callbacks=[GradualPruning(0.9, end=20, match="fc*")])

    class Unknown:
        def __iter__(self):
            yield DATA

    with pytest.raises(ValueError, match="pruning: expected data whose number of batches is known"):
        train(net(), Unknown(), callbacks=[GradualPruning(0.9, end=2)])
    with pytest.raises(TypeError, match="match: expected a glob, got int"):
        GradualPruning(0.5, end=2, match=3)
    assert Y.size == 203
