"""Distillation of what layers inside give: the formula, other widths, teachers of PyTorch, what is refused."""

import numpy as np
import pytest

from paring import nn
from paring.training import SGD, Adam, Callback, distill
from paring.training.distillation.features import FeaturePair, compare_features, with_features
from paring.training.distillation.teachers import as_teacher
from paring.training.fitting.batches import Batch

RNG = np.random.default_rng(0)
X = RNG.standard_normal((120, 6)).astype(np.float32)
IMAGES = RNG.standard_normal((40, 2, 8, 8)).astype(np.float32)


def dense(width=16, seed=0):
    layers = {"body": nn.Linear(6, width), "act": nn.Tanh(), "head": nn.Linear(width, 4)}
    return nn.Model(nn.Sequential(layers), (None, 6), seed=seed)


def maps(width=5, seed=0):
    layers = {
        "conv": nn.Conv2d(2, width, 3),
        "norm": nn.BatchNorm2d(width),
        "act": nn.ReLU(),
        "flat": nn.Flatten(),
        "head": nn.Linear(width * 36, 3),
    }
    return nn.Model(nn.Sequential(layers), (None, 2, 8, 8), seed=seed)


def run(teacher, student, x=X, **options):
    options = {
        "optimizer": Adam(0.01),
        "epochs": 3,
        "batch_size": 20,
        "hard_weight": 0,
        "soft_weight": 0,
        **options,
    }
    return distill(teacher, student, (x, None), **options)


class TestFormula:
    def test_value_and_gradient(self):
        teacher, student = dense(seed=1), dense(seed=0)
        batch = Batch({"input": X}, None)
        _, pairs = with_features(student, {"body": "body", "act": "act"}, as_teacher(teacher), batch, 0)
        assert pairs == (
            FeaturePair("body", student.layer_output("body")),
            FeaturePair("act", student.layer_output("act")),
        )
        outputs = {name: RNG.standard_normal((120, 16)) for name in (pair.output for pair in pairs)}
        value, gradients = compare_features(pairs, as_teacher(teacher), outputs, batch, 0.3)
        state = {name: array.astype(float) for name, array in teacher.state_dict().items()}
        body = X @ state["body.weight"].T + state["body.bias"]
        wanted = {pairs[0].output: body, pairs[1].output: np.tanh(body)}
        squares = {name: (outputs[name] - wanted[name]) ** 2 for name in outputs}
        assert value == pytest.approx(0.3 * sum(square.mean() for square in squares.values()), rel=1e-5)
        for name, gradient in gradients.items():
            np.testing.assert_allclose(
                gradient, 0.3 * 2 * (outputs[name] - wanted[name]) / outputs[name].size, rtol=1e-4, atol=1e-8
            )

    def test_two_features_of_one_layer_add_up(self):
        teacher = dense(seed=1)
        pairs = (FeaturePair("body", "y"), FeaturePair("act", "y"))
        y = RNG.standard_normal((120, 16))
        both = compare_features(pairs, as_teacher(teacher), {"y": y}, Batch({"input": X}, None), 1.0)
        each = [
            compare_features((pair,), as_teacher(teacher), {"y": y}, Batch({"input": X}, None), 1.0)
            for pair in pairs
        ]
        assert both[0] == pytest.approx(each[0][0] + each[1][0])
        np.testing.assert_allclose(both[1]["y"], each[0][1]["y"] + each[1][1]["y"])


class TestTraining:
    def test_a_student_of_the_same_shape_becomes_the_teacher(self):
        teacher, student = dense(seed=1), dense(seed=0)
        history = run(teacher, student, features={"body": "body", "head": "head"}, epochs=300)
        assert history["loss"][-1] < 1e-3 * history["loss"][0]
        np.testing.assert_allclose(student(X), teacher(X), atol=0.05)

    def test_other_widths_are_bridged_and_the_bridge_is_thrown_away(self):
        teacher, student = dense(24, seed=1), dense(16, seed=0)
        names = list(student.state_dict())
        history = run(teacher, student, features={"act": "act"}, epochs=40)
        assert history["loss"][-1] < 0.2 * history["loss"][0]
        assert list(student.state_dict()) == names
        assert set(student.graph.initializers) == set(dense(16).graph.initializers)
        assert student.graph.outputs == ("output",)

    def test_maps_of_other_widths_and_statistics(self):
        teacher, student = maps(7, seed=1), maps(4, seed=0)
        before = student.state_dict()["norm.running_mean"].copy()
        history = run(teacher, student, IMAGES, features={"act": "act"}, epochs=30)
        assert history["loss"][-1] < 0.5 * history["loss"][0]
        assert not np.array_equal(student.state_dict()["norm.running_mean"], before)
        assert "act:to_teacher" not in student.graph.initializers

    def test_beside_labels_and_logits(self):
        teacher, student = dense(seed=1), dense(seed=0)
        y = teacher(X).argmax(1)
        history = distill(
            teacher,
            student,
            (X, y),
            features={"body": "body"},
            feature_weight=0.5,
            optimizer=Adam(0.02),
            epochs=40,
            batch_size=20,
            validation=0.2,
        )
        assert (student(X).argmax(1) == y).mean() > 0.95
        assert history["validation_loss"][-1] < history["validation_loss"][0]

    def test_batches_of_any_length(self):
        table = nn.Embedding(20, 8)
        words = nn.Input((None, None), "int64", name="words")

        def make(seed):
            layer = nn.Linear(8, 8)(table(words, name="t"), name="fc")
            return nn.Model([words], {"y": layer}, seed=seed)

        teacher, student = make(1), make(0)
        batches = [((RNG.integers(0, 20, (5, length)),), None) for length in (3, 7, 4)]
        distill(
            teacher,
            student,
            batches,
            features={"fc": "fc"},
            hard_weight=0,
            soft_weight=0,
            optimizer=Adam(0.05),
            epochs=100,
        )
        x = batches[0][0][0]
        assert np.abs(student(x) - teacher(x)).mean() < 0.2 * np.abs(make(0)(x) - teacher(x)).mean()

    def test_a_killed_run_goes_on_with_its_bridge(self, tmp_path):
        class Kill(Callback):
            def __init__(self, epoch):
                self.epoch = epoch

            def on_epoch(self, trainer):
                if trainer.epoch == self.epoch:
                    raise RuntimeError("killed")

        teacher, path = dense(24, seed=1), tmp_path / "run.safetensors"
        whole, half = dense(16), dense(16)
        run(teacher, whole, features={"act": "act"}, epochs=6)
        with pytest.raises(RuntimeError, match="killed"):
            run(teacher, half, features={"act": "act"}, epochs=6, checkpoint=path, callbacks=[Kill(3)])
        again = dense(16, seed=5)
        run(
            teacher,
            again,
            features={"act": "act"},
            epochs=6,
            checkpoint=path,
            resume=True,
            callbacks=[Kill(None)],
        )
        assert {n: a.tobytes() for n, a in again.state_dict().items()} == {
            n: a.tobytes() for n, a in whole.state_dict().items()
        }

    @pytest.mark.peers
    def test_a_teacher_of_pytorch(self):
        torch = pytest.importorskip("torch")
        t = torch.nn
        teacher = t.Sequential(t.Linear(6, 24), t.Tanh(), t.Linear(24, 4)).eval()
        student = dense(16)
        history = run(teacher, student, features={"act": "1"}, epochs=40)
        assert history["loss"][-1] < 0.3 * history["loss"][0]
        assert not teacher[1]._forward_hooks
        with pytest.raises(ValueError, match="features: expected the name of a module, got 'act'"):
            run(teacher, student, features={"act": "act"})
        with pytest.raises(ValueError, match="expected a module in evaluation mode"):
            run(teacher.train(), student, features={"act": "1"})
        assert not teacher[1]._forward_hooks


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            (
                {"features": ["body"]},
                TypeError,
                "features: expected a mapping of the student's layers to the teacher's, got list",
            ),
            ({"features": {}}, ValueError, r"features: expected names of layers, got \{\}"),
            ({"features": {"body": 1}}, ValueError, r"features: expected names of layers, got \{'body': 1\}"),
            (
                {"features": {"bodi": "body"}},
                ValueError,
                "expected the name of a layer, got 'bodi'; did you mean 'body'?",
            ),
            ({"features": {"body": "feet"}}, ValueError, "expected the name of a layer, got 'feet'"),
            (
                {"features": {"body": "body"}, "feature_weight": 0},
                ValueError,
                "feature_weight: expected a finite number above 0",
            ),
            (
                {"features": None, "soft_weight": 0},
                ValueError,
                "soft_weight: expected a finite number above 0, got 0",
            ),
        ],
    )
    def test_arguments(self, options, error, message):
        with pytest.raises(error, match=message):
            run(dense(seed=1), dense(), **options)

    def test_a_function_has_no_layers(self):
        with pytest.raises(TypeError, match="features: expected one teacher that has layers"):
            run(lambda x: x[:, :4], dense(), features={"body": "body"})
        with pytest.raises(TypeError, match="features: expected one teacher that has layers"):
            run([dense(seed=1), dense(seed=2)], dense(), features={"body": "body"})

    def test_shapes_that_differ_in_more_than_the_width(self):
        teacher = nn.Model(
            nn.Sequential({"conv": nn.Conv2d(2, 5, 5), "flat": nn.Flatten(), "head": nn.Linear(80, 3)}),
            (None, 2, 8, 8),
        )
        with pytest.raises(
            ValueError,
            match=r"gives what 'conv' gives, \(None, 5, 6, 6\), but for its width, got \(20, 5, 4, 4\) of 'conv'",
        ):
            run(teacher, maps(), IMAGES, features={"conv": "conv"})

    def test_features_that_are_not_finite(self):
        teacher = dense(seed=1)
        teacher.state_dict()["body.weight"][0, 0] = np.nan
        with pytest.raises(
            ValueError, match="teacher: expected finite features, got NaN or infinity from 'body'"
        ):
            run(teacher, dense(), features={"body": "body"}, optimizer=SGD(0.1))
