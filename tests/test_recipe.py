import dataclasses

import pytest

from paring import PruneStep, QuantizeStep, Recipe, SparsifyStep
from paring.compression.recipe import DEFAULT_RECIPE, matches

NAMES = ["encoder.layer.0.weight", "encoder.layer.0.bias", "encoder.layer.10.weight", "head[0].weight", "ids"]


class TestMatches:
    @pytest.mark.parametrize(
        ("pattern", "expected"),
        [
            ("*", NAMES),
            ("*.weight", [NAMES[0], NAMES[2], NAMES[3]]),
            ("encoder.layer.?.weight", [NAMES[0]]),
            ("encoder.layer.[01].*", NAMES[:2]),
            ("*.WEIGHT", []),
            ("head[0].weight", [NAMES[3]]),
            ("ids", ["ids"]),
            ("id", []),
        ],
    )
    def test_globs(self, pattern, expected):
        assert [name for name in NAMES if matches(pattern, name)] == expected


class TestSteps:
    def test_defaults(self):
        assert Recipe((QuantizeStep(),)) == DEFAULT_RECIPE
        step = QuantizeStep()
        assert (step.bits, step.granularity, step.symmetric, step.convention) == (
            8,
            "channel",
            True,
            "paring",
        )
        assert (step.axis, step.match) == (None, "*")
        assert [s.kind for s in (PruneStep(sparsity=0), QuantizeStep(), SparsifyStep())] == [
            "prune",
            "quantize",
            "sparsify",
        ]

    @pytest.mark.parametrize(
        "step", [PruneStep(sparsity=0.5), QuantizeStep(), SparsifyStep(), DEFAULT_RECIPE], ids=repr
    )
    def test_frozen(self, step):
        with pytest.raises(dataclasses.FrozenInstanceError):
            step.match = "x"

    def test_repr_shows_what_was_given(self):
        step = PruneStep(threshold=0.5, match="a*")
        assert repr(step) == "PruneStep(threshold=0.5, scope='tensor', match='a*')"
        assert eval(repr(step)) == step

    def test_arguments(self):
        assert PruneStep(structure="2:4", scope="global").arguments == {"structure": "2:4"}
        assert PruneStep(threshold=0).arguments == {"threshold": 0}

    @pytest.mark.parametrize(
        ("make", "error", "message"),
        [
            (lambda: PruneStep(), ValueError, "prune: expected exactly one of threshold, .* got none"),
            (lambda: PruneStep(threshold=1, sparsity=0.5), ValueError, "got threshold and sparsity"),
            (lambda: PruneStep(sparsity=1.5), ValueError, r"sparsity: expected 0 to 1, got 1\.5"),
            (lambda: PruneStep(sparsity="half"), TypeError, "sparsity: expected a number, got str 'half'"),
            (lambda: PruneStep(structure="4:2"), ValueError, "structure: expected 'n:m'"),
            (
                lambda: PruneStep(sparsity=0.5, scope="all"),
                ValueError,
                "scope: expected 'tensor' or 'global'",
            ),
            (
                lambda: PruneStep(sparsity=0.5, match=3),
                TypeError,
                r"match: expected a glob such as '\*.weight', got int 3",
            ),
            (lambda: QuantizeStep(bits=9), ValueError, "bits: expected one of 2, 3, 4, 5, 6, 7, 8, got 9"),
            (lambda: QuantizeStep(granularity="row"), ValueError, "granularity: expected one of"),
            (lambda: QuantizeStep(group_size=0), ValueError, "group_size: expected 1 to"),
            (lambda: QuantizeStep(symmetric="yes"), TypeError, "symmetric: expected a bool, got str"),
            (lambda: QuantizeStep(convention="onnx"), ValueError, "convention: expected .* got 'onnx'"),
            (lambda: QuantizeStep(axis=0.0), TypeError, r"axis: expected an int, got float 0\.0"),
            (lambda: QuantizeStep(axis=-65), ValueError, "axis: expected -64 to 63, got -65"),
            (
                lambda: QuantizeStep(match="\udc80"),
                ValueError,
                "match: expected Unicode text, got half of a surr",
            ),
            (lambda: QuantizeStep(match=""), ValueError, "match: expected a glob .* got an empty str"),
            (lambda: SparsifyStep(match=None), TypeError, "match: expected a glob .* got NoneType None"),
        ],
    )
    def test_validated_when_made(self, make, error, message):
        with pytest.raises(error, match=message):
            make()


class TestRecipe:
    def test_lists_become_tuples(self):
        recipe = Recipe([QuantizeStep()], skip=["a", "b"])
        assert recipe.steps == (QuantizeStep(),)
        assert recipe.skip == ("a", "b")
        assert hash(recipe) == hash(Recipe((QuantizeStep(),), ("a", "b")))

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"steps": QuantizeStep()}, TypeError, "steps: expected a list of steps, got QuantizeStep"),
            ({"steps": "quantize"}, TypeError, "steps: expected a list of steps, got str 'quantize'"),
            (
                {"steps": ["quantize"]},
                TypeError,
                r"steps\[0\]: expected PruneStep, QuantizeStep or SparsifyStep, got str",
            ),
            (
                {"steps": [QuantizeStep]},
                TypeError,
                r"steps\[0\]: expected PruneStep, QuantizeStep or SparsifyStep, got type",
            ),
            ({"skip": "*.bias"}, TypeError, r"skip: expected a list of globs, got str '\*.bias'"),
            ({"skip": ["a", 1]}, TypeError, r"skip\[1\]: expected a glob such as"),
            ({"skip": [""]}, ValueError, r"skip\[0\]: expected a glob such as .* got an empty str"),
            ({"min_size": -1}, ValueError, r"min_size: expected 0 to 2\*\*63 - 1, got -1"),
            ({"min_size": 1e3}, TypeError, "min_size: expected an int, got float"),
        ],
        ids=str,
    )
    def test_validated_when_made(self, arguments, error, message):
        with pytest.raises(error, match=message):
            Recipe(**{"steps": (), **arguments})

    def test_last_step_of_a_kind_counts(self):
        recipe = Recipe(
            [
                QuantizeStep(bits=4),
                PruneStep(sparsity=0.5, match="encoder.*"),
                QuantizeStep(bits=8, match="head*"),
                QuantizeStep(bits=3, match="*.0.weight"),
            ]
        )
        bits = [recipe.step_for(QuantizeStep, name).bits for name in NAMES]
        assert bits == [3, 4, 4, 8, 4]
        assert recipe.step_for(PruneStep, "encoder.x") == recipe.steps[1]
        assert recipe.step_for(PruneStep, "head") is None
        assert recipe.step_for(SparsifyStep, "head") is None

    def test_skip(self):
        recipe = Recipe((), skip=["head*", "*.bias"])
        assert [recipe.skipped_by(name) for name in NAMES] == [None, "*.bias", None, "head*", None]


class TestCheckNames:
    def test_all_match(self):
        Recipe([QuantizeStep(match="*.weight")], skip=["ids"]).check_names(NAMES)

    def test_star_matches_nothing_too(self):
        Recipe([QuantizeStep()], skip=["*"]).check_names([])

    @pytest.mark.parametrize("field", ["match", "skip"])
    def test_near_names(self, field):
        pattern = "encoder.layer.0.wieght*"
        recipe = Recipe([QuantizeStep(match=pattern)]) if field == "match" else Recipe((), skip=[pattern])
        with pytest.raises(
            ValueError,
            match=rf"{field}: 'encoder\.layer\.0\.wieght\*' matches none of the 5 weights; the nearest names are "
            r"'encoder\.layer\.0\.weight', ",
        ):
            recipe.check_names(NAMES)

    def test_nothing_near(self):
        with pytest.raises(ValueError, match=r"match: 'zzzz' matches none of the 5 weights$"):
            Recipe([SparsifyStep(match="zzzz")]).check_names(NAMES)
        with pytest.raises(ValueError, match=r"skip: 'a' matches none of the 0 weights$"):
            Recipe((), skip=["a"]).check_names([])
