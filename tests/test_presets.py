import numpy as np
import pytest

import paring
from paring import PruneStep, QuantizeStep, Recipe, SparsifyStep
from paring.compression.presets import PRESETS, preset_steps
from paring.compression.recipe import DEFAULT_RECIPE


def scheme(bits, **changed):
    return QuantizeStep(**{"bits": bits, "group_size": 128, "convention": "compressed-tensors", **changed})


def blocks(bits):
    return QuantizeStep(bits=bits, granularity="group", convention="gguf")


STEPS = {
    "int8": lambda: [QuantizeStep()],
    "int4": lambda: [QuantizeStep(bits=4, granularity="group", group_size=32)],
    "sparse": lambda: [SparsifyStep()],
    "sparse-90": lambda: [PruneStep(sparsity=0.9, scope="global"), SparsifyStep()],
    "sparse-90-int8": lambda: [PruneStep(sparsity=0.9, scope="global"), QuantizeStep(), SparsifyStep()],
    "W8A16": lambda: [scheme(8)],
    "W8A8": lambda: [scheme(8)],
    "W4A16": lambda: [scheme(4, granularity="group")],
    "W4A8": lambda: [scheme(4, granularity="group")],
    "W4A16_ASYM": lambda: [scheme(4, granularity="group", symmetric=False)],
    "Q8_0": lambda: [blocks(8)],
    "Q4_0": lambda: [blocks(4)],
}

# Times smaller than float32, of a weight of normal numbers with 512 x 512 elements.
RATIOS = {
    "int8": (3.9, 4),
    "int4": (6, 7),
    "sparse": (1, 1),
    "sparse-90": (4.9, 5.1),
    "sparse-90-int8": (7.5, 8.5),
    "W8A16": (3.9, 4),
    "W8A8": (3.9, 4),
    "W4A16": (7, 8),
    "W4A8": (7, 8),
    "W4A16_ASYM": (7, 8),
    "Q8_0": (3.5, 4),
    "Q4_0": (6, 8),
}


def test_every_preset_is_tested():
    assert STEPS.keys() == RATIOS.keys() == PRESETS.keys()


@pytest.mark.parametrize("name", PRESETS)
class TestEach:
    def test_steps(self, name):
        assert Recipe.preset(name) == Recipe(STEPS[name]())

    def test_case_does_not_matter(self, name):
        assert Recipe.preset(name.swapcase()) == Recipe.preset(name)

    def test_round_trip(self, name, tmp_path):
        recipe = Recipe.preset(name, skip=["a"], min_size=5)
        assert (recipe.skip, recipe.min_size) == (("a",), 5)
        assert Recipe.from_dict(recipe.to_dict()) == recipe
        path = tmp_path / "recipe.toml"
        path.write_text(f'preset = "{name}"\nskip = ["a"]\nmin_size = 5\n')
        assert Recipe.from_toml(path) == recipe

    def test_makes_smaller_what_it_says(self, name, rng):
        weights = {"w.weight": rng.standard_normal((512, 512)).astype(np.float32)}
        least, most = RATIOS[name]
        assert least <= paring.compress(weights, name).report.ratio <= most

    def test_description_is_one_line(self, name):
        assert 20 < len(PRESETS[name]) < 110
        assert "\n" not in PRESETS[name]


def test_the_default():
    assert Recipe.preset("int8") == DEFAULT_RECIPE


def test_sparse_keeps_every_value(rng):
    weights = {"w": (rng.standard_normal((64, 64)) * (rng.random((64, 64)) < 0.1)).astype(np.float32)}
    compressed = paring.compress(weights, "sparse")
    assert compressed.report["w"].form == "csr float32"
    assert (compressed["w"].dense() == weights["w"]).all()


def test_documentation_names_all():
    text = Recipe.preset.__doc__
    assert [name for name in PRESETS if f'"{name}"' not in text] == []


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        (
            "w4a15",
            ValueError,
            r"^preset: expected one of 'int8', 'int4', 'sparse', .*, 'Q4_0', got 'w4a15'; did you mean 'W4A16'\?$",
        ),
        ("nothing like it", ValueError, "^preset: expected one of .*, got 'nothing like it'$"),
        ("", ValueError, "^preset: expected one of .*, got ''$"),
        (8, TypeError, "^preset: expected a str such as 'int8', got int 8$"),
        (None, TypeError, "^preset: expected a str such as 'int8', got NoneType None$"),
    ],
)
def test_unknown(name, error, message):
    with pytest.raises(error, match=message):
        Recipe.preset(name)
    with pytest.raises(error, match=message):
        preset_steps(name)


def test_bad_skip_and_min_size():
    with pytest.raises(TypeError, match=r"^skip: expected a list of globs, got str 'a'$"):
        Recipe.preset("int8", skip="a")
    with pytest.raises(ValueError, match=r"^min_size: expected 0 to "):
        Recipe.preset("int8", min_size=-1)
