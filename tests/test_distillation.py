"""Distillation: the formula, whose outputs a student may learn, and that they follow their examples."""

import numpy as np
import pytest

import paring
from paring import nn
from paring.training.distillation import Distillation, distill
from paring.training.distillation.teachers import EnsembleTeacher, as_teacher
from paring.training.fitting import fit
from paring.training.fitting.batches import Batch
from paring.training.fitting.callbacks import Callback
from paring.training.fitting.measuring import measure
from paring.training.losses import CrossEntropy, KLDivergence
from paring.training.metrics import accuracy
from paring.training.optimizers import SGD, Adam

RNG = np.random.default_rng(0)
X = RNG.standard_normal((211, 6)).astype(np.float32)
TURN = RNG.standard_normal((6, 4)).astype(np.float32) * 2
LOGITS = X @ TURN
Y = LOGITS.argmax(1)


def teacher(x):
    return x @ TURN


def student(seed=0, width=12):
    return nn.Model(nn.Sequential(nn.Linear(6, width), nn.ReLU(), nn.Linear(width, 4)), (None, 6), seed=seed)


def bytes_of(model):
    return b"".join(value.tobytes() for value in model.state_dict().values())


def softmax(logits):
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def run(who=teacher, data=(X, Y), model=None, **options):
    model = model or student()
    options = {"optimizer": Adam(0.02), "epochs": 2, "batch_size": 20, **options}
    return model, distill(who, model, data, **options)


class TestFormula:
    @pytest.mark.parametrize("temperature", [1.0, 2.0, 20.0])
    def test_value_and_gradient(self, temperature):
        logits = RNG.standard_normal((211, 4))
        objective = Distillation(as_teacher(teacher), "y", temperature, 0.3, 0.7)
        batch = Batch({"input": X}, Y)
        value, gradients = objective.value_and_gradients({"y": logits}, batch)
        theirs, ours = softmax(LOGITS.astype(float) / temperature), softmax(logits / temperature)
        soft = temperature**2 * (theirs * (np.log(theirs) - np.log(ours))).sum(axis=1).mean()
        hard = -np.log(softmax(logits)[np.arange(211), Y]).mean()
        assert value == pytest.approx(0.3 * hard + 0.7 * soft, rel=1e-5)
        assert objective.value({"y": logits}, batch) == pytest.approx(value, rel=1e-12)
        one_hot = np.eye(4)[Y]
        wanted = (0.3 * (softmax(logits) - one_hot) + 0.7 * temperature * (ours - theirs)) / 211
        np.testing.assert_allclose(gradients["y"], wanted, rtol=1e-4, atol=1e-7)

    def test_an_ensemble_is_the_mean_of_beliefs(self):
        other = -TURN[:, ::-1]
        ensemble = as_teacher([teacher, lambda x: x @ other])
        assert isinstance(ensemble, EnsembleTeacher)
        for temperature in (1.0, 5.0):
            got = ensemble.logits(Batch({"input": X}, None), temperature)
            wanted = (softmax(LOGITS / temperature) + softmax(X @ other / temperature)) / 2
            np.testing.assert_allclose(softmax(got / temperature), wanted, rtol=1e-5, atol=1e-9)


class TestLearning:
    def test_a_student_without_labels(self):
        model, history = run(data=(X, None), hard_weight=0, epochs=40)
        assert np.mean(model(X).argmax(1) == Y) > 0.97
        assert history["loss"][-1] < 0.1 * history["loss"][0]

    def test_labels_that_are_wrong_matter_less_than_a_teacher(self):
        wrong = np.where(RNG.random(211) < 0.5, RNG.integers(0, 4, 211), Y)
        plain, taught = student(), student()
        fit(plain, (X, wrong), loss=CrossEntropy(), optimizer=Adam(0.02), epochs=40, batch_size=20)
        run(data=(X, wrong), model=taught, epochs=40)
        scores = [measure(model, (X, Y), metrics=[accuracy])["accuracy"] for model in (plain, taught)]
        assert scores[1] > scores[0] + 0.05

    def test_another_architecture_and_a_model_as_teacher(self):
        large = student(seed=3, width=64)
        fit(large, (X, Y), loss=CrossEntropy(), optimizer=Adam(0.01), epochs=30)
        before = bytes_of(large)
        small, _ = run(large, epochs=40)
        assert bytes_of(large) == before
        assert np.mean(small(X).argmax(1) == large(X).argmax(1)) > 0.95

    def test_options_of_fit_go_through(self, tmp_path):
        mask = np.random.default_rng(0).random((12, 6)) < 0.5
        model, history = run(
            validation=0.2,
            metrics=[accuracy],
            masks={"0.weight": mask},
            checkpoint=tmp_path / "c.safetensors",
        )
        assert set(history.epochs) == {"loss", "validation_loss", "accuracy"}
        assert (model.state_dict()["0.weight"][~mask] == 0).all()
        assert len(history["steps.loss"]) == 2 * 9


class TestWhoTeaches:
    """Whatever form the teacher has, the student becomes the same."""

    @pytest.fixture
    def expected(self):
        return bytes_of(run()[0])

    def test_recorded_outputs_follow_their_examples(self, expected):
        assert bytes_of(run(LOGITS)[0]) == expected

    def test_a_file_of_outputs(self, expected, tmp_path):
        np.save(tmp_path / "outputs.npy", LOGITS)
        assert bytes_of(run(tmp_path / "outputs.npy")[0]) == expected

    def test_one_is_an_ensemble_of_one(self, expected):
        model, _ = run([teacher])
        for name, value in run()[0].state_dict().items():
            np.testing.assert_allclose(model.state_dict()[name], value, rtol=1e-2, atol=1e-3)

    def test_batches_of_somebody_else(self):
        given = [(X[i : i + 20], Y[i : i + 20]) for i in range(0, 211, 20)]
        assert bytes_of(run(data=given)[0]) == bytes_of(run(shuffle=False)[0])

    @pytest.mark.peers
    def test_a_pytorch_module(self, expected):
        torch = pytest.importorskip("torch")
        module = torch.nn.Linear(6, 4, bias=False)
        with torch.no_grad():
            module.weight.copy_(torch.from_numpy(np.ascontiguousarray(TURN.T)))
        with pytest.raises(
            ValueError, match=r"teacher: expected a module in evaluation mode.*teacher\.eval\(\)"
        ):
            run(module)
        model, _ = run(module.eval())
        for name, value in run()[0].state_dict().items():
            np.testing.assert_allclose(model.state_dict()[name], value, rtol=1e-2, atol=1e-3)

    def test_it_is_asked_once_for_arrays(self):
        asked = []

        def counting(x):
            asked.append(len(x))
            return teacher(x)

        run(counting, epochs=5)
        assert asked == [211]

    def test_a_run_that_is_killed_goes_on(self, tmp_path):
        class Kill(Callback):
            def on_step(self, trainer):
                if trainer.step == 30:
                    raise RuntimeError

        path = tmp_path / "c.safetensors"
        with pytest.raises(RuntimeError):
            run(epochs=5, checkpoint=path, callbacks=[Kill()])
        model, _ = run(model=student(seed=4), epochs=5, checkpoint=path, resume=True, callbacks=[Callback()])
        assert bytes_of(model) == bytes_of(run(epochs=5)[0])
        with pytest.raises(ValueError, match=r"objective\.temperature: 4\.0 in the document, 2\.0 now"):
            run(epochs=9, temperature=2.0, checkpoint=path, resume=True, callbacks=[Callback()])


def bad(x):
    outputs = teacher(x)
    outputs[5] = np.nan
    return outputs


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"who": 3},
            TypeError,
            "teacher: expected a model, a function of the inputs, an array of outputs, or a list",
        ),
        ({"who": []}, ValueError, "teacher: expected at least one, got none"),
        (
            {"who": lambda x: x},
            ValueError,
            r"outputs of shape \(211, 4\) as the student's, got \(211, 6\)",
        ),
        ({"who": lambda x: teacher(x)[:-1]}, ValueError, r"teacher: expected outputs of shape \(211, 4\)"),
        ({"who": lambda x: [teacher(x)] * 2}, TypeError, "teacher: expected one output, got 2"),
        (
            {"who": lambda x: teacher(x).astype(str)},
            TypeError,
            "teacher: expected outputs that are numbers, got dtype",
        ),
        ({"who": bad}, ValueError, "teacher: expected finite outputs, got NaN or infinity for example 5"),
        (
            {"who": lambda x: np.ones((len(x), 4))},
            ValueError,
            "tell examples apart, got the same for all 211",
        ),
        (
            {"who": LOGITS[:7]},
            ValueError,
            r"outputs of shape \(211, 4\) as the student's, got \(7, 4\)",
        ),
        (
            {"who": [teacher, lambda x: x]},
            ValueError,
            r"of one shape from every teacher, got \(211, 4\)",
        ),
        (
            {"who": LOGITS, "data": [(X, Y)]},
            ValueError,
            "teacher: expected the teacher itself for data that is not in",
        ),
        (
            {"who": LOGITS, "validation": (X, Y)},
            ValueError,
            "teacher: expected the teacher itself for data other than",
        ),
        (
            {"data": (X, None)},
            ValueError,
            "data: expected labels for hard_weight, got None: give hard_weight=0",
        ),
        (
            {"data": [(X, None)]},
            ValueError,
            "data: expected labels for hard_weight, got None: give hard_weight=0",
        ),
        ({"soft_weight": 0}, ValueError, "soft_weight: expected a finite number above 0, got 0"),
        ({"hard_weight": -1}, ValueError, "hard_weight: expected a finite number of at least 0, got -1"),
        ({"temperature": 0}, ValueError, "temperature: expected a finite number above 0, got 0"),
        ({"loss": "ce"}, TypeError, "loss: expected one of paring.training.losses for the labels, got str"),
        ({"model": nn.Linear(6, 4)}, TypeError, "student: expected a paring.nn.Model, got Linear"),
        ({"data": (X, Y + 9)}, ValueError, "data: expected labels from 0 to 3, got"),
    ],
)
def test_refused(options, error, message):
    with pytest.raises(error, match=message):
        run(**options)


def test_a_file_of_several_arrays(tmp_path):
    paring.write(tmp_path / "o.npz", {"a": LOGITS, "b": LOGITS})
    with pytest.raises(ValueError, match="teacher: expected a file of one array of outputs, got 2"):
        run(tmp_path / "o.npz")


def test_it_is_the_kl_of_the_losses():
    logits = RNG.standard_normal((211, 4))
    objective = Distillation(as_teacher(LOGITS), "y", 3.0, 0.0, 1.0)
    batch = Batch({"input": X}, None, {"teacher": LOGITS})
    assert objective.value({"y": logits}, batch) == KLDivergence(3.0).value(logits, LOGITS)
    assert paring.distill is distill
    with pytest.raises(ValueError, match="student: expected one output, got a, b"):
        x = nn.Input((None, 6))
        both = nn.Model(x, {"a": nn.Linear(6, 4)(x), "b": nn.Linear(6, 4)(x)})
        distill(teacher, both, (X, Y), optimizer=SGD(0.1))
