from pathlib import Path

import numpy as np
import pytest

import paring
from paring import FormatError, QuantizeStep, Recipe
from paring.compression.recipe import DEFAULT_RECIPE
from paring.compression.recipe_sources import as_recipe

INT4 = Recipe([QuantizeStep(bits=4, granularity="group")])


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(INT4.to_toml())
    return path


class TestAsRecipe:
    def test_what_it_takes(self, path, monkeypatch):
        assert as_recipe(None) is DEFAULT_RECIPE
        assert as_recipe(INT4) is INT4
        assert as_recipe("int4") == INT4
        assert as_recipe(path) == as_recipe(str(path)) == INT4
        monkeypatch.chdir(path.parent)
        assert as_recipe("recipe.toml") == INT4

    def test_any_suffix_of_a_path_object(self, path):
        assert as_recipe(path.rename(path.with_name("int8"))) == INT4

    def test_suffix_in_capitals(self, path):
        assert as_recipe(str(path.rename(path.with_name("A.TOML")))) == INT4

    @pytest.mark.parametrize(
        "value", [3, b"int8", [QuantizeStep()], {"preset": "int8"}, QuantizeStep()], ids=str
    )
    def test_another_kind(self, value):
        with pytest.raises(
            TypeError,
            match=f"^recipe: expected a Recipe, the name of a preset, or the path of a .toml file, "
            f"got {type(value).__name__}$",
        ):
            as_recipe(value)

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("int5", r"; did you mean 'int8'\?"),
            ("q4", r"; did you mean 'Q4_0'\?"),
            ("zzzzzz", ""),
            ("a/b.json", ""),
            ("", ""),
        ],
    )
    def test_unknown_name(self, name, hint):
        with pytest.raises(
            ValueError,
            match=f"^recipe: expected a path that ends in .toml, or one of 'int8', 'int4', .*, got '{name}'{hint}$",
        ):
            as_recipe(name)

    def test_missing_file(self):
        with pytest.raises(FileNotFoundError, match=r"no\.toml"):
            as_recipe("no.toml")
        with pytest.raises(FileNotFoundError, match="int8"):
            as_recipe(Path("int8"))

    def test_broken_file(self, path):
        path.write_text("steps = 1")
        with pytest.raises(FormatError, match=f"^{path}: steps: expected a list of steps"):
            as_recipe(str(path))


class TestCompress:
    def test_takes_the_same(self, path):
        weights = {"w": np.linspace(-1, 1, 4096, dtype=np.float32).reshape(64, 64)}
        for recipe in (INT4, "int4", path, str(path)):
            assert paring.compress(weights, recipe).report["w"].form == "int4 group 32"
        assert paring.compress(weights, None).report["w"].form == "int8 channel"
