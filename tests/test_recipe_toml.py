import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paring import FormatError, PruneStep, QuantizeStep, Recipe, SparsifyStep
from paring.compression.recipe_toml import MAX_BYTES, read_toml, toml_text
from recipe_cases import recipes

EXAMPLE = Path(__file__).parents[1] / "examples" / "recipe.toml"
FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)


@pytest.fixture
def write_recipe(tmp_path):
    path = tmp_path / "recipe.toml"

    def write(content):
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


class TestRead:
    def test_every_key(self, write_recipe):
        path = write_recipe(
            """
            version = 1
            skip = ["lm_head.*", '*\\x']
            min_size = 2_048
            preset = "int8"

            [[steps]]
            kind = "quantize"
            bits = 4
            granularity = "group"
            group_size = 64
            symmetric = false
            convention = "compressed-tensors"
            axis = -1
            match = "model.layers.*"

            [[steps]]
            kind = "prune"
            threshold_std = 1e-1
            scope = "global"

            [[steps]]
            kind = "sparsify"
            """
        )
        expected = Recipe(
            [
                QuantizeStep(),
                QuantizeStep(4, "group", 64, False, "compressed-tensors", -1, "model.layers.*"),
                PruneStep(threshold_std=0.1, scope="global"),
                SparsifyStep(),
            ],
            skip=["lm_head.*", "*\\x"],
            min_size=2048,
        )
        assert Recipe.from_toml(path) == expected
        assert Recipe.from_toml(str(path)) == expected

    def test_the_example(self):
        recipe = Recipe.from_toml(EXAMPLE)
        assert recipe.skip == ("lm_head.*",)
        assert [step.kind for step in recipe.steps] == ["quantize", "quantize"]
        assert recipe.step_for(QuantizeStep, "model.embed_tokens.weight").bits == 8
        assert recipe.step_for(QuantizeStep, "model.layers.0.mlp.up_proj.weight").bits == 4

    def test_the_lines_that_the_example_comments_out(self, write_recipe):
        lines = EXAMPLE.read_text().splitlines()
        shown = [line.removeprefix("# ") if "=" in line or "[[" in line else line for line in lines]
        recipe = Recipe.from_toml(
            write_recipe("\n".join(line for line in shown if "paring.compress" not in line))
        )
        assert [step.kind for step in recipe.steps] == [
            "quantize",
            "quantize",
            "quantize",
            "prune",
            "sparsify",
        ]

    def test_windows_line_ends(self, write_recipe):
        assert Recipe.from_toml(write_recipe('preset = "int8"\r\nmin_size = 5\r\n')).min_size == 5

    def test_names_with_dots_are_no_keys(self, write_recipe):
        names = [f"model.layers.{number}.mlp.down_proj.weight" for number in range(300)]
        recipe = Recipe([QuantizeStep()], skip=names)
        assert Recipe.from_toml(write_recipe(recipe.to_toml())) == recipe

    def test_the_longest(self, write_recipe):
        text = 'preset = "int8"\n'
        assert Recipe.from_toml(write_recipe(text + "#" * (MAX_BYTES - len(text)))).steps == (QuantizeStep(),)


class TestWrite:
    @given(recipe=recipes)
    @FUZZ
    def test_reads_back_equal(self, write_recipe, recipe):
        assert Recipe.from_toml(write_recipe(recipe.to_toml())) == recipe

    def test_text(self):
        recipe = Recipe([QuantizeStep(bits=4, match='a"b\\\n\x7f\x01é😀')], skip=["x", "y"], min_size=1)
        assert recipe.to_toml().splitlines() == [
            "version = 1",
            'skip = ["x", "y"]',
            "min_size = 1",
            "",
            "[[steps]]",
            'kind = "quantize"',
            "bits = 4",
            'granularity = "channel"',
            "group_size = 32",
            "symmetric = true",
            'convention = "paring"',
            'match = "a\\"b\\\\\\n\\u007f\\u0001é😀"',
        ]

    def test_no_steps(self, write_recipe):
        assert Recipe(()).to_toml() == "version = 1\nskip = []\nmin_size = 1024\nsteps = []\n"
        assert Recipe.from_toml(write_recipe(Recipe(()).to_toml())) == Recipe(())

    def test_what_toml_has_no_form_for(self):
        with pytest.raises(TypeError, match="recipe: NoneType has no form in TOML"):
            toml_text({"skip": None, "steps": []})


class TestRefusals:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "expected 'steps' or a 'preset', got neither"),
            ("skip = [", r"expected TOML: .* \(at end of document\)"),
            ("skip = []\nmin_size = = 3\n", r"expected TOML: Invalid value \(at line 2, column \d+\)"),
            (
                'preset = "int8"\npreset = "int4"',
                r"expected TOML: Cannot overwrite a value \(at (line 2, column \d+|end of document)\)",
            ),
            (b'preset = "int8"\nskip = ["\xff"]', r"expected UTF-8, got byte 0xff \(at line 2\)"),
            (b"\xff\xfep\0r\0e\0", r"expected UTF-8, got byte 0xff \(at line 1\)"),
            ("min_size = " + "[" * 100_000, "expected a recipe, got lists within lists without end"),
            ("min_size = " + "1" * 5000, "expected TOML: .*(4300 digits|at end of document)"),
            ("#" * (MAX_BYTES + 1), "expected a recipe of at most 250,000 bytes, got more"),
            ("\n" + "a." * 50 + "a = 1", r"expected keys of at most 50 parts, got more \(at line 2\)"),
            ("a." * 120_000 + "a = 1", r"expected keys of at most 50 parts, got more \(at line 1\)"),
            ('["a b" ' + ". 'c.d' " * 60 + "]", r"expected keys of at most 50 parts, got more \(at line 1\)"),
            (
                "x = {" + r'"\"".' * 60 + "a = 1}",
                r"expected keys of at most 50 parts, got more \(at line 1\)",
            ),
            ("a." * 49 + "a = 1", "recipe: unknown key 'a'"),
            ('preset = "int5"', r"preset: expected one of .* got 'int5'; did you mean 'int8'\?"),
            (
                '[steps]\nkind = "prune"',
                r"steps: expected a list of steps, in TOML one \[\[steps\]\] each, got dict",
            ),
            ('[[step]]\nkind = "prune"', r"recipe: unknown key 'step'; did you mean 'steps'\?"),
            ("[[steps]]\nbits = 4", r"steps\[0\]: expected a key 'kind'"),
            (
                'preset = "int8"\n[[steps]]\nkind = "quantize"\nbits = "4"',
                r"steps\[0\]\.bits: expected an int, got str '4'",
            ),
            (
                '[[steps]]\nkind = "sparsify"\nskip = ["a"]',
                r"steps\[0\]: .*'skip' .* it belongs to the recipe, in TOML above",
            ),
            ('[[steps]]\nkind = "prune"\nsparsity = nan', r"steps\[0\]\.sparsity: expected 0 to 1, got nan"),
            (
                '[[steps]]\nkind = "quantize"\nmatch = 1979-05-27',
                r"steps\[0\]\.match: expected a glob .* got date",
            ),
            ("steps = []\nskip = [1]", r"skip\[0\]: expected a glob .* got int 1"),
            ("steps = []\nmin_size = 9223372036854775808", r"min_size: expected 0 to 2\*\*63 - 1"),
        ],
        ids=lambda value: repr(value)[:50],
    )
    def test_content(self, write_recipe, content, message):
        path = write_recipe(content)
        with pytest.raises(FormatError, match=f"^{path}: .*{message}"):
            Recipe.from_toml(path)

    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"no\.toml"):
            Recipe.from_toml(tmp_path / "no.toml")

    def test_folder(self, tmp_path):
        with pytest.raises(IsADirectoryError, match=tmp_path.name):
            Recipe.from_toml(tmp_path)

    def test_endless(self):
        with pytest.raises(
            FormatError, match=r"^/dev/zero: expected a recipe of at most 250,000 bytes, got more$"
        ):
            Recipe.from_toml("/dev/zero")

    @pytest.mark.parametrize("path", [3, None, b"recipe.toml", Recipe(())], ids=str)
    def test_no_path(self, path):
        with pytest.raises(
            TypeError, match=f"path: expected a str or an os.PathLike of str, got {type(path).__name__} "
        ):
            Recipe.from_toml(path)

    def test_path_of_bytes(self):
        class BytesPath(os.PathLike):
            def __fspath__(self):
                return b"recipe.toml"

        with pytest.raises(TypeError, match=r"path: expected a str or an os\.PathLike of str, got BytesPath"):
            Recipe.from_toml(BytesPath())


class TestFuzz:
    """A file is read, or refused with a message that has its path."""

    def check(self, path):
        try:
            Recipe.from_toml(path)
        except FormatError as error:
            assert str(path) in str(error)

    @given(content=st.binary(max_size=200))
    @FUZZ
    def test_any_bytes(self, write_recipe, content):
        self.check(write_recipe(content))

    @given(recipe=recipes, data=st.data())
    @FUZZ
    def test_broken_recipes(self, write_recipe, recipe, data):
        content = bytearray(recipe.to_toml().encode())
        start, stop = sorted(data.draw(st.tuples(*[st.integers(0, len(content))] * 2)))
        content[start:stop] = data.draw(
            st.sampled_from([b"", bytes(content[start:stop]) * 2]) | st.binary(max_size=8)
        )
        self.check(write_recipe(bytes(content)))


@pytest.mark.skipif(sys.version_info >= (3, 11), reason="Python has tomllib from 3.11 on")
def test_older_pythons_use_tomli(write_recipe):
    read_toml(write_recipe(""))
    assert "tomli" in sys.modules


def test_import_loads_no_parser():
    from test_import import modules_after

    assert {"tomllib", "tomli"} & modules_after("import paring") == set()
