"""`prune_to_accuracy`: the sparsest model within a drop, for models, mappings and lists of weights."""

import json
import math

import numpy as np
import pytest

import paring
from paring import nn, prune_to_accuracy
from paring.training import Adam, CrossEntropy, accuracy, fit, measure

RNG = np.random.default_rng(0)
X = RNG.standard_normal((400, 8)).astype(np.float32)
Y = (X[:, :4] @ RNG.standard_normal((4, 3))).argmax(1)


@pytest.fixture(scope="module")
def trained():
    model = nn.Model(nn.Sequential(nn.Linear(8, 40), nn.ReLU(), nn.Linear(40, 3)), (None, 8), seed=1)
    fit(model, (X[:300], Y[:300]), loss=CrossEntropy(), optimizer=Adam(0.01), epochs=30)
    return model


def score(model):
    return measure(model, (X[300:], Y[300:]), metrics=[accuracy])["accuracy"]


def share(weights):
    arrays = [w for w in weights.values() if w.ndim > 1]
    return sum(int((w == 0).sum()) for w in arrays) / sum(w.size for w in arrays)


class Keras:
    """What has get_weights and set_weights, and nothing else that matters."""

    def __init__(self):
        rng = np.random.default_rng(3)
        self.weights = [rng.standard_normal((20, 10)).astype(np.float32), np.ones(10, np.float32)]

    def get_weights(self):
        return [weight.copy() for weight in self.weights]

    def set_weights(self, weights):
        self.weights = [weight.copy() for weight in weights]


def kept_sum(weights):
    """A score that falls as the sum of magnitudes that are left does, from 1."""
    return float(np.abs(weights["w"]).sum() / np.abs(BASE["w"]).sum())


BASE = {"w": RNG.standard_normal((30, 20)).astype(np.float32), "b": np.ones(20, np.float32)}


class TestSearch:
    @pytest.mark.parametrize("method", ["global", "tensor"])
    @pytest.mark.parametrize("drop", [0.0, 0.05, 0.3])
    def test_the_sparsest_within_the_drop(self, method, drop):
        curve = prune_to_accuracy(BASE, kept_sum, max_drop=drop, method=method, resolution=0.002)
        # The answer by sorting: how many of the least magnitudes sum to the drop.
        magnitudes = np.sort(np.abs(BASE["w"]).ravel()).astype(np.float64)
        wanted = np.searchsorted(np.cumsum(magnitudes) / magnitudes.sum(), drop) / magnitudes.size
        assert curve.best.sparsity == pytest.approx(wanted, abs=0.004)
        assert curve.best.score >= 1 - drop - 1e-6
        assert curve.model["b"] is BASE["b"]
        assert share(curve.model) == pytest.approx(curve.best.sparsity)
        assert curve.stopped == ""
        assert len(curve.points) <= 11

    @pytest.mark.parametrize("method", ["global", "tensor", "sensitivity"])
    def test_a_model(self, trained, method):
        before = {name: value.copy() for name, value in trained.state_dict().items()}
        curve = prune_to_accuracy(trained, score, max_drop=0.03, method=method)
        assert curve.best.sparsity > 0.3
        assert curve.points[0].score - curve.best.score <= 0.03
        assert score(curve.model) == curve.best.score
        assert share(curve.model.state_dict()) == pytest.approx(curve.best.sparsity)
        for name, value in trained.state_dict().items():
            np.testing.assert_array_equal(value, before[name])
        again = prune_to_accuracy(trained, score, max_drop=0.03, method=method)
        assert again.points == curve.points

    def test_sensitivity_spares_what_matters(self):
        """One weight that the score does not look at goes almost entirely, the other stays."""
        weights = {"matters": BASE["w"], "idle": RNG.standard_normal((30, 20)).astype(np.float32)}
        curve = prune_to_accuracy(
            weights, lambda found: kept_sum({"w": found["matters"]}), max_drop=0.001, method="sensitivity"
        )
        assert np.mean(curve.model["idle"] == 0) == pytest.approx(0.99, abs=0.002)
        assert np.mean(curve.model["matters"] == 0) < 0.2

    def test_lists_of_weights(self):
        holder = Keras()
        start = np.abs(holder.weights[0]).sum()
        curve = prune_to_accuracy(holder, lambda h: float(np.abs(h.weights[0]).sum() / start), max_drop=0.1)
        assert curve.model is holder
        assert np.mean(holder.weights[0] == 0) == pytest.approx(curve.best.sparsity)
        assert (holder.weights[1] == 1).all()

    def test_some_weights(self, trained):
        curve = prune_to_accuracy(trained, score, max_drop=0.5, match="0.*")
        state = curve.model.state_dict()
        assert (state["0.weight"] == 0).any()
        assert (state["2.weight"] != 0).all()

    def test_what_is_found_can_be_retrained(self, trained):
        curve = prune_to_accuracy(trained, score, max_drop=0.2)
        zeros = share(curve.model.state_dict())
        fit(
            curve.model,
            (X[:300], Y[:300]),
            loss=CrossEntropy(),
            optimizer=Adam(0.01),
            epochs=5,
            masks="zeros",
        )
        assert share(curve.model.state_dict()) == zeros
        assert score(curve.model) >= curve.best.score


class TestEnds:
    def test_a_score_of_nan_is_not_good_enough(self):
        curve = prune_to_accuracy(
            BASE, lambda found: math.nan if share(found) > 0.4 else 1.0, resolution=0.05, method="tensor"
        )
        assert 0.3 < curve.best.sparsity <= 0.4
        assert any(math.isnan(point.score) and not point.kept for point in curve.points)

    @pytest.mark.parametrize(
        ("error", "stopped"),
        [(KeyError("x"), "evaluate raised KeyError: 'x'"), (KeyboardInterrupt(), "interrupted")],
        ids=["error", "interrupt"],
    )
    def test_an_evaluate_that_raises_leaves_the_best(self, error, stopped):
        calls = []

        def evaluate(found):
            calls.append(found)
            if len(calls) == 4:
                raise error
            return kept_sum(found)

        curve = prune_to_accuracy(BASE, evaluate, max_drop=0.3)
        assert curve.stopped == stopped
        assert len(curve.points) == 3
        assert curve.best.sparsity == max(point.sparsity for point in curve.points if point.kept)

    def test_a_budget_of_time(self, monkeypatch):
        now = iter(range(1000))
        monkeypatch.setattr("paring.training.pruning.search.time.monotonic", lambda: next(now))
        curve = prune_to_accuracy(BASE, kept_sum, max_drop=0.3, seconds=3.5)
        assert curve.stopped == "the time budget is used up"
        assert len(curve.points) == 4

    def test_nothing_can_go(self):
        curve = prune_to_accuracy(BASE, lambda found: 1.0 if share(found) == 0 else 0.0)
        assert (curve.best.sparsity, curve.best.score) == (0.0, 1.0)
        np.testing.assert_array_equal(curve.model["w"], BASE["w"])


class TestJournal:
    def test_nothing_is_measured_twice(self, tmp_path):
        path = tmp_path / "j.json"
        calls = []

        def evaluate(found):
            calls.append(found)
            if len(calls) == 5:
                raise SystemExit
            return kept_sum(found) if share(found) < 0.9 else math.nan

        with pytest.raises(SystemExit):
            prune_to_accuracy(BASE, evaluate, max_drop=0.3, journal=path)
        curve = prune_to_accuracy(BASE, evaluate, max_drop=0.3, journal=path)
        whole = prune_to_accuracy(BASE, kept_sum, max_drop=0.3)
        assert len(calls) == len(whole.points) + 1
        assert curve.best == whole.best
        np.testing.assert_array_equal(curve.model["w"], whole.model["w"])

    @pytest.mark.parametrize(
        ("document", "error", "message"),
        [
            ("{", paring.FormatError, r"j\.json: expected JSON"),
            (
                "{}",
                paring.FormatError,
                r"j\.json: expected a journal of prune_to_accuracy, got something else",
            ),
            ({"method": "tensor"}, ValueError, r"j\.json: is the journal of method 'tensor', not 'global'"),
            (
                {"scores": {"a": "x"}},
                paring.FormatError,
                r"j\.json: expected scores that are numbers, got 'x' for 'a'",
            ),
        ],
    )
    def test_other_files(self, tmp_path, document, error, message):
        if isinstance(document, dict):
            document = json.dumps({"version": 1, "method": "global", "scores": {}, **document})
        (tmp_path / "j.json").write_text(document)
        with pytest.raises(error, match=message):
            prune_to_accuracy(BASE, kept_sum, journal=tmp_path / "j.json")
        assert (tmp_path / "j.json").read_text() == document


class TestCurve:
    def test_as_text(self):
        curve = prune_to_accuracy(BASE, kept_sum, max_drop=0.3, resolution=0.2)
        lines = str(curve).splitlines()
        assert lines[0] == "  zeros      score"
        assert lines[1] == "   0.0%          1"
        assert sum(line.endswith("best") for line in lines) == 1
        assert lines[-1] == "least score 0.7"
        assert repr(curve).startswith("<PruningCurve: 4 points, best ")

    def test_a_picture(self, tmp_path):
        pytest.importorskip("matplotlib")
        curve = prune_to_accuracy(BASE, kept_sum, max_drop=0.3)
        for name in ("a.svg", "b.svg"):
            curve.plot(tmp_path / name)
        assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"model": 3},
            TypeError,
            "model: expected a paring.nn.Model, a mapping of names to arrays, or an object with",
        ),
        (
            {"model": {"b": np.ones(3)}},
            ValueError,
            "match: expected floating-point weights of two axes or more",
        ),
        (
            {"match": "x*"},
            ValueError,
            r"match: expected floating-point weights .*, got none for 'x\*' of 2 weights",
        ),
        ({"evaluate": 0.5}, TypeError, "evaluate: expected a function, got float"),
        ({"evaluate": lambda found: "good"}, TypeError, "evaluate: expected a number, got str"),
        (
            {"evaluate": lambda found: math.nan},
            ValueError,
            "evaluate: expected a finite score of the model as it is",
        ),
        ({"max_drop": -0.1}, ValueError, "max_drop: expected a finite number of at least 0, got -0.1"),
        ({"method": "best"}, ValueError, "method: expected 'global', 'tensor' or 'sensitivity', got 'best'"),
        ({"resolution": 0}, ValueError, "resolution: expected a finite number above 0 and below 1, got 0"),
        ({"seconds": 0}, ValueError, "seconds: expected a finite number above 0, got 0"),
        ({"journal": "j.txt"}, ValueError, r"journal: expected a file called \*\.json, got j\.txt"),
    ],
)
def test_refused(options, error, message):
    given = {"model": BASE, "evaluate": kept_sum, **options}
    with pytest.raises(error, match=message):
        prune_to_accuracy(given.pop("model"), given.pop("evaluate"), **given)


def retrain(**options):
    return {
        "data": (X[:300], Y[:300]),
        "loss": CrossEntropy(),
        "optimizer": Adam(0.01),
        "epochs": 8,
        **options,
    }


class TestRetraining:
    @pytest.mark.parametrize("method", ["global", "tensor"])
    def test_training_between_prunings_goes_further(self, trained, method):
        before = {name: value.copy() for name, value in trained.state_dict().items()}
        plain = prune_to_accuracy(trained, score, max_drop=0.02, method=method)
        curve = prune_to_accuracy(
            trained, score, max_drop=0.02, method=method, retrain=retrain(), resolution=0.02
        )
        assert curve.best.sparsity > plain.best.sparsity + 0.1
        assert score(curve.model) == curve.best.score >= curve.least_score
        assert share(curve.model.state_dict()) == pytest.approx(curve.best.sparsity)
        for name, value in trained.state_dict().items():
            np.testing.assert_array_equal(value, before[name])

    def test_the_parts_are_halved_where_it_was_too_much(self, trained):
        curve = prune_to_accuracy(trained, score, max_drop=0.02, retrain=retrain(), resolution=0.05)
        share, part = 0.0, 0.5
        for point in curve.points[1:]:
            wanted = 1 - (1 - share) * (1 - part)
            assert point.sparsity == pytest.approx(wanted, abs=0.002)
            share, part = (wanted, part) if point.kept else (share, part / 2)

    def test_a_search_that_is_killed_goes_on(self, trained, tmp_path):
        """At every round; the weights beside the journal are those of the best."""
        options = {"max_drop": 0.02, "retrain": retrain(epochs=3), "resolution": 0.03}
        whole = prune_to_accuracy(trained, score, **options)
        path = tmp_path / "j.json"
        for _ in range(2 * len(whole.points)):
            left = iter(range(1))

            def once(model, left=left):
                if next(left, None) is None:
                    raise SystemExit
                return score(model)

            try:
                curve = prune_to_accuracy(trained, once, journal=path, **options)
                break
            except SystemExit:
                assert len(list(tmp_path.glob("j.*.safetensors"))) <= 2
        assert curve.points == whole.points
        for name, value in whole.model.state_dict().items():
            assert curve.model.state_dict()[name].tobytes() == value.tobytes()
        assert len(list(tmp_path.iterdir())) == 2

    def test_a_journal_of_another_kind(self, trained, tmp_path):
        path = tmp_path / "j.json"
        prune_to_accuracy(trained, score, max_drop=0.2, journal=path)
        with pytest.raises(ValueError, match="is the journal of method 'global', not 'global, retrained'"):
            prune_to_accuracy(trained, score, retrain=retrain(), journal=path)

    @pytest.mark.parametrize(
        ("model", "options", "error", "message"),
        [
            (None, {"retrain": 3}, TypeError, "retrain: expected a dict of arguments of fit, got int"),
            (
                BASE,
                {"retrain": retrain()},
                TypeError,
                "model: expected a paring.nn.Model to retrain, got dict",
            ),
            (
                None,
                {"retrain": {"data": 1, "loss": 2}},
                ValueError,
                "retrain: expected data, loss, optimizer .* no optimizer",
            ),
            (
                None,
                {"retrain": retrain(masks="zeros")},
                ValueError,
                "retrain: expected arguments of fit without masks",
            ),
            (
                None,
                {"retrain": retrain(), "method": "sensitivity"},
                ValueError,
                "method: expected 'global' or 'tensor' with retrain, got 'sensitivity'",
            ),
        ],
    )
    def test_refused(self, trained, model, options, error, message):
        with pytest.raises(error, match=message):
            prune_to_accuracy(trained if model is None else model, score, **options)
