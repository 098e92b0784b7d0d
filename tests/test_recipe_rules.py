"""Reports name the rule of the recipe that decided about each weight."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import paring
from paring import PruneStep, QuantizeStep, Recipe, SparsifyStep
from paring.compression.plans import make_plans
from paring.compression.sources import open_source


@pytest.fixture
def weights(rng):
    names = ["model.embed.weight", "model.layers.0.weight", "model.layers.1.weight", "lm_head.weight"]
    weights = {name: rng.standard_normal((64, 64)).astype(np.float32) for name in names}
    return {**weights, "model.norm.weight": np.ones(64, np.float32), "small": np.ones((2, 2), np.float32)}


def rules(weights, recipe):
    return {row.name: row.rules for row in paring.compress(weights, recipe).report.rows}


def test_the_last_matching_step_and_the_first_matching_skip(weights):
    recipe = Recipe(
        [
            QuantizeStep(bits=4, granularity="group"),
            QuantizeStep(bits=8, match="*embed*"),
            PruneStep(sparsity=0.5, match="model.*"),
            QuantizeStep(bits=6, match="*.1.weight"),
        ],
        skip=["lm_head.*", "*head*", "small"],
    )
    assert rules(weights, recipe) == {
        "model.embed.weight": ("steps[1] quantize '*embed*'", "steps[2] prune 'model.*'"),
        "model.layers.0.weight": ("steps[0] quantize '*'", "steps[2] prune 'model.*'"),
        "model.layers.1.weight": ("steps[2] prune 'model.*'", "steps[3] quantize '*.1.weight'"),
        "lm_head.weight": ("skip[0] 'lm_head.*'",),
        "model.norm.weight": (),
        "small": ("skip[2] 'small'",),
    }


def test_no_step_matches(weights):
    assert rules(weights, Recipe([SparsifyStep(match="*embed*")]))["lm_head.weight"] == ()


def test_compressed_already(weights):
    given = {"w": paring.quantize(weights["lm_head.weight"])}
    assert rules(given, "int4") == {"w": ()}


def test_a_form_that_was_refused_has_its_rule(weights):
    report = paring.compress(weights, Recipe([SparsifyStep(match="*.0.weight")])).report
    assert report["model.layers.0.weight"].kept
    assert report["model.layers.0.weight"].rules == ("steps[0] sparsify '*.0.weight'",)


def test_a_name_that_is_taken_has_its_rule(rng):
    w = rng.standard_normal((64, 64)).astype(np.float32)
    report = paring.compress({"w": w, "w_scale": np.ones(3)}).report
    assert "needs the tensor name 'w_scale'" in report["w"].reason
    assert report["w"].rules == ("steps[0] quantize '*'",)


def test_plans_carry_them(weights):
    plans = make_plans(open_source(weights), Recipe([QuantizeStep()], skip=["small"]))
    assert {plan.name: plan.rules for plan in plans} == rules(
        weights, Recipe([QuantizeStep()], skip=["small"])
    )


def test_steps_of_a_preset_count(weights, tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text('preset = "int8"\n[[steps]]\nkind = "quantize"\nbits = 4\nmatch = "*.0.*"\n')
    report = paring.compress(weights, path).report
    assert report["model.layers.0.weight"].rules == ("steps[1] quantize '*.0.*'",)
    assert report["lm_head.weight"].rules == ("steps[0] quantize '*'",)
    assert "\n  steps[1] quantize '*.0.*': 1 weight (model.layers.0.weight)\n" in str(report)


@given(st.lists(st.sampled_from(["a", "b", "ab", "a*", "*b", "?", "*", "c"]), max_size=6))
def test_rules_agree_with_step_for(patterns):
    recipe = Recipe([QuantizeStep(bits=2 + i, match=pattern) for i, pattern in enumerate(patterns)])
    for name in ("a", "b", "ab", "aab"):
        step = recipe.step_for(QuantizeStep, name)
        number = None if step is None else recipe.steps.index(step)
        assert recipe.rules_for(name) == (
            () if step is None else (f"steps[{number}] quantize {step.match!r}",)
        )


def test_a_pattern_stays_on_one_line():
    recipe = Recipe([SparsifyStep(match="it's \n*")])
    assert recipe.rules_for("it's \nx") == ('steps[0] sparsify "it\'s \\n*"',)
