import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given

from paring import PruneStep, QuantizeStep, Recipe, SparsifyStep
from paring.compression.recipe import DEFAULT_RECIPE
from recipe_cases import recipes

INT4 = {"kind": "quantize", "bits": 4}


def refused(document, error, message):
    with pytest.raises(error, match=message) as caught:
        Recipe.from_dict(document)
    assert type(caught.value) is error


class TestRoundTrip:
    @given(recipes)
    def test_nothing_is_lost(self, recipe):
        document = recipe.to_dict()
        assert Recipe.from_dict(document) == recipe
        assert Recipe.from_dict(json.loads(json.dumps(document, allow_nan=False))) == recipe

    def test_whole(self):
        recipe = Recipe([PruneStep(structure="2:4"), QuantizeStep(axis=1, match="a")], skip=["b"], min_size=0)
        assert recipe.to_dict() == {
            "version": 1,
            "skip": ["b"],
            "min_size": 0,
            "steps": [
                {"kind": "prune", "structure": "2:4", "scope": "tensor", "match": "*"},
                {
                    "kind": "quantize",
                    "bits": 8,
                    "granularity": "channel",
                    "group_size": 32,
                    "symmetric": True,
                    "convention": "paring",
                    "axis": 1,
                    "match": "a",
                },
            ],
        }

    @pytest.mark.parametrize(
        "number", [np.float32(0.1), np.float16(0.5), np.int64(1), Fraction(1, 3), 1, -0.0]
    )
    def test_numbers_of_any_kind_are_stored_as_floats(self, number):
        step = PruneStep(sparsity=number)
        assert type(step.sparsity) is float
        assert step.sparsity == float(number)
        assert str(step.sparsity) != "-0.0"
        document = json.loads(json.dumps(Recipe([step]).to_dict()))
        assert Recipe.from_dict(document).steps == (step,)

    def test_integers_of_numpy_are_stored_as_ints(self):
        step = QuantizeStep(bits=np.int8(4), group_size=np.uint16(64), axis=np.int64(-1))
        recipe = Recipe([step], min_size=np.int32(7))
        assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


class TestShortDocuments:
    def test_defaults(self):
        assert Recipe.from_dict({"steps": [{"kind": "quantize"}]}) == DEFAULT_RECIPE
        assert Recipe.from_dict({"steps": []}) == Recipe(())
        assert Recipe.from_dict({"version": 1, "steps": ({"kind": "sparsify"},)}) == Recipe([SparsifyStep()])

    def test_null_is_what_none_is(self):
        document = {
            "steps": [{"kind": "quantize", "axis": None}, {"kind": "prune", "sparsity": 1, "threshold": None}]
        }
        assert Recipe.from_dict(document) == Recipe([QuantizeStep(), PruneStep(sparsity=1)])

    def test_steps_of_the_preset_come_first(self):
        recipe = Recipe.from_dict(
            {"preset": "int8", "steps": [{**INT4, "match": "a*"}], "skip": ["b"], "min_size": 9}
        )
        assert recipe == Recipe([QuantizeStep(), QuantizeStep(bits=4, match="a*")], ["b"], 9)
        assert Recipe.from_dict({"preset": "INT8"}) == DEFAULT_RECIPE


class TestRefusals:
    @pytest.mark.parametrize(
        ("document", "error", "message"),
        [
            ([INT4], TypeError, r"^recipe: expected a dict, got list \[\{'bits': 4, 'kind': 'quantize'\}\]$"),
            (None, TypeError, "^recipe: expected a dict, got NoneType None$"),
            ({}, ValueError, "^recipe: expected 'steps' or a 'preset', got neither$"),
            ({"step": []}, ValueError, r"^recipe: unknown key 'step'; did you mean 'steps'\?$"),
            (
                {"Min_Size": 3, "steps": []},
                ValueError,
                r"^recipe: unknown key 'Min_Size'; did you mean 'min_size'\?$",
            ),
            (
                {"steps": [], "bits": 4},
                ValueError,
                "^recipe: unknown key 'bits'; expected 'version', 'preset', 'skip', 'min_size', 'steps'$",
            ),
            ({"steps": [], 3: 4}, ValueError, "^recipe: unknown key 3; expected 'version', "),
            (
                {"steps": [], "version": 2},
                ValueError,
                r"^version: expected 1, got 2: written by a newer version .*\?$",
            ),
            ({"steps": [], "version": 0}, ValueError, "^version: expected 1, got 0"),
            ({"steps": [], "version": "1"}, TypeError, "^version: expected an int, got str '1'$"),
            ({"steps": [], "version": True}, TypeError, "^version: expected an int, got bool True$"),
            ({"steps": [], "version": None}, TypeError, "^version: expected an int, got NoneType None$"),
            (
                {"preset": "int5"},
                ValueError,
                r"^preset: expected one of 'int8', .*, got 'int5'; did you mean 'int8'\?$",
            ),
            (
                {"preset": ["int8"]},
                TypeError,
                r"^preset: expected a str such as 'int8', got list \['int8'\]$",
            ),
            ({"preset": None}, TypeError, "^preset: expected a str such as 'int8', got NoneType None$"),
            (
                {"steps": [], "skip": "*.bias"},
                TypeError,
                r"^skip: expected a list of globs, got str '\*.bias'$",
            ),
            ({"steps": [], "skip": ["a", 2]}, TypeError, r"^skip\[1\]: expected a glob .*, got int 2$"),
            (
                {"steps": [], "skip": ["a", ""]},
                ValueError,
                r"^skip\[1\]: expected a glob .*, got an empty str$",
            ),
            ({"steps": [], "skip": None}, TypeError, "^skip: expected a list of globs, got NoneType None$"),
            ({"steps": [], "min_size": "1"}, TypeError, "^min_size: expected an int, got str '1'$"),
            ({"steps": [], "min_size": -1}, ValueError, r"^min_size: expected 0 to 2\*\*63 - 1, got -1$"),
            (
                {"steps": [], "min_size": 2**63},
                ValueError,
                r"^min_size: expected 0 to 2\*\*63 - 1, got 9223372036854",
            ),
        ],
        ids=str,
    )
    def test_of_the_recipe(self, document, error, message):
        refused(document, error, message)

    @pytest.mark.parametrize(
        ("steps", "error", "message"),
        [
            (INT4, TypeError, r"^steps: expected a list of steps, in TOML one \[\[steps\]\] each, got dict$"),
            ("int8", TypeError, "^steps: expected a list of steps, .* got str$"),
            (None, TypeError, "^steps: expected a list of steps, .* got NoneType$"),
            (["int8"], TypeError, r"^steps\[0\]: expected a dict, got str 'int8'$"),
            (
                [QuantizeStep()],
                TypeError,
                r"^steps\[0\]: expected a dict, got QuantizeStep QuantizeStep\(.*\)$",
            ),
            (
                [INT4, {"bits": 4}],
                ValueError,
                r"^steps\[1\]: expected a key 'kind' that is one of 'prune', 'quantize', 'sparsify'$",
            ),
            (
                [{"kind": "Quantise"}],
                ValueError,
                r"^steps\[0\]\.kind: expected one of 'prune', 'quantize', 'sparsify', got 'Quantise'; "
                r"did you mean 'quantize'\?$",
            ),
            ([{"kind": 3}], ValueError, r"^steps\[0\]\.kind: expected one of .*, got 3$"),
            ([{"kind": ["prune"]}], ValueError, r"^steps\[0\]\.kind: expected one of .*, got \['prune'\]"),
            (
                [INT4, {**INT4, "group-size": 3}],
                ValueError,
                r"^steps\[1\]: unknown key 'group-size' of a quantize step; did you mean 'group_size'\?$",
            ),
            (
                [{"kind": "sparsify", "sparsity": 0.5}],
                ValueError,
                r"^steps\[0\]: unknown key 'sparsity' of a sparsify step; expected 'match'$",
            ),
            (
                [{**INT4, "skip": ["a"]}],
                ValueError,
                r"^steps\[0\]: unknown key 'skip' of a quantize step: it belongs to the recipe, in TOML above the "
                r"first \[\[steps\]\]$",
            ),
            (
                [{**INT4, 7: 1}],
                ValueError,
                r"^steps\[0\]: unknown key 7 of a quantize step; expected 'bits', ",
            ),
            (
                [INT4, {**INT4, "group_size": "32"}],
                TypeError,
                r"^steps\[1\]\.group_size: expected an int, got str '32'$",
            ),
            (
                [{"kind": "quantize", "bits": 4.0}],
                TypeError,
                r"^steps\[0\]\.bits: expected an int, got float 4\.0$",
            ),
            (
                [{"kind": "quantize", "bits": 1}],
                ValueError,
                r"^steps\[0\]\.bits: expected one of 2, 3, .* got 1$",
            ),
            (
                [{**INT4, "granularity": "row"}],
                ValueError,
                r"^steps\[0\]\.granularity: expected one of .* got 'row'$",
            ),
            (
                [{**INT4, "granularity": ["group"]}],
                ValueError,
                r"^steps\[0\]\.granularity: expected one of .* got \['g",
            ),
            ([{**INT4, "symmetric": "no"}], TypeError, r"^steps\[0\]\.symmetric: expected a bool, got str$"),
            (
                [{**INT4, "convention": "onnx"}],
                ValueError,
                r"^steps\[0\]\.convention: expected .* got 'onnx'$",
            ),
            (
                [{**INT4, "convention": "gguf"}],
                ValueError,
                r"^steps\[0\]: convention 'gguf': expected granularity 'group', got 'channel'$",
            ),
            ([{**INT4, "axis": 0.5}], TypeError, r"^steps\[0\]\.axis: expected an int, got float 0\.5$"),
            ([{**INT4, "axis": 64}], ValueError, r"^steps\[0\]\.axis: expected -64 to 63, got 64$"),
            (
                [{**INT4, "match": ["a"]}],
                TypeError,
                r"^steps\[0\]\.match: expected a glob .* got list \['a'\]$",
            ),
            (
                [{**INT4, "match": ""}],
                ValueError,
                r"^steps\[0\]\.match: expected a glob .* got an empty str$",
            ),
            (
                [{**INT4, "match": "a\ud800"}],
                ValueError,
                r"^steps\[0\]\.match: expected Unicode text, got half of a surrogate pair: 'a\\ud800'$",
            ),
            (
                [{"kind": "prune"}],
                ValueError,
                r"^steps\[0\]: prune: expected exactly one of threshold, .* got none$",
            ),
            (
                [{"kind": "prune", "sparsity": 0.5, "threshold": 1}],
                ValueError,
                r"^steps\[0\]: prune: expected exactly one of .* got threshold and sparsity$",
            ),
            (
                [{"kind": "prune", "sparsity": 2}],
                ValueError,
                r"^steps\[0\]\.sparsity: expected 0 to 1, got 2$",
            ),
            (
                [{"kind": "prune", "sparsity": float("nan")}],
                ValueError,
                r"^steps\[0\]\.sparsity: expected 0 to 1, got nan$",
            ),
            (
                [{"kind": "prune", "threshold": float("inf")}],
                ValueError,
                r"^steps\[0\]\.threshold: expected a finite number from 0 up, got inf$",
            ),
            (
                [{"kind": "prune", "threshold": True}],
                TypeError,
                r"^steps\[0\]\.threshold: expected a number, got bool",
            ),
            (
                [{"kind": "prune", "structure": 24}],
                TypeError,
                r"^steps\[0\]\.structure: expected a str such as '2:4'",
            ),
            (
                [{"kind": "prune", "sparsity": 0.5, "scope": "layer"}],
                ValueError,
                r"^steps\[0\]\.scope: expected 'tensor' or 'global', got 'layer'$",
            ),
        ],
        ids=str,
    )
    def test_of_a_step(self, steps, error, message):
        refused({"steps": steps}, error, message)

    def test_a_long_value_is_not_repeated_in_full(self):
        with pytest.raises(TypeError) as caught:
            Recipe.from_dict([0] * 100_000)
        assert len(str(caught.value)) < 200
