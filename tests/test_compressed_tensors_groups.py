"""Which group of a quantization_config a module belongs to, and what stays arrays."""

import numpy as np
import pytest

from compressed_tensors_files import arguments, config, group, make, tensors_of
from paring.errors import FormatError
from paring.formats import read
from paring.formats.compressed_tensors import groups as groups_module
from weight_files import assert_same, random_quantized


class TestWhichGroup:
    FOUR, EIGHT = random_quantized((6, 10), 4), random_quantized((6, 10), 8)

    def read(self, folder, *groups, name="model.layers.3.up", **more):
        """Read a module of 4 bits called `name`, and one of 8 bits called m; None for what stays arrays."""
        tensors = tensors_of(self.FOUR, f"{name}.weight") | tensors_of(self.EIGHT)
        weights = read(make(folder, tensors, config(*groups, format=None, **more)))
        return weights.get(f"{name}.weight"), weights["m.weight"]

    def test_a_class_means_what_fits(self, tmp_path):
        four, eight = self.read(tmp_path, group(arguments(8)), group(arguments(4), ["Embedding"]))
        assert_same(four, self.FOUR)
        assert_same(eight, self.EIGHT)

    @pytest.mark.parametrize("target", ["model.layers.3.up", "re:.*up$", r"re:model\.layers\.\d+\.(up|down)"])
    def test_names_and_patterns(self, tmp_path, target):
        four, eight = self.read(tmp_path, group(arguments(4), [target]))
        assert_same(four, self.FOUR)
        assert isinstance(eight, np.ndarray)  # nobody says what it is

    def test_a_pattern_beyond_ours_means_what_fits(self, tmp_path):
        four, eight = self.read(tmp_path, group(arguments(4), ["re:(?!m$).*"], format="pack-quantized"))
        assert_same(four, self.FOUR)
        assert isinstance(eight, np.ndarray)  # one code a byte is another format

    def test_a_name_is_no_class(self, tmp_path):
        four, eight = self.read(tmp_path, group(arguments(8), ["m"]))
        assert four is None
        assert_same(eight, self.EIGHT)

    def test_a_name_wins_over_a_pattern_and_that_over_a_class(self, tmp_path):
        wrong = group(arguments(2), ["Linear"]), group(arguments(3), ["re:model.*"])
        right = group(arguments(4), ["model.layers.3.up"])
        four, _ = self.read(tmp_path, *wrong, right, group(arguments(8), ["m"]))
        assert_same(four, self.FOUR)
        four, _ = self.read(
            tmp_path, wrong[0], group(arguments(4), ["re:model.*"]), group(arguments(8), ["m"])
        )
        assert_same(four, self.FOUR)
        with pytest.raises(
            FormatError, match=r"up.weight_packed': expected int32 \(6, 1\), got .*'group_1'\)$"
        ):
            self.read(tmp_path, *wrong, group(arguments(8), ["m"]))

    @pytest.mark.parametrize("ignore", ["model.layers.3.up", "re:.*up"])
    def test_what_is_ignored_stays_arrays(self, tmp_path, ignore):
        four, eight = self.read(tmp_path, group(arguments(8)), group(arguments(4)), ignore=[ignore])
        assert four is None
        assert_same(eight, self.EIGHT)

    def test_of_two_kinds_that_fit_none_is_guessed(self, tmp_path):
        """8 columns of 3 and of 4 bits take one word both."""
        weight = random_quantized((6, 8), 3)
        both = config(group(arguments(3)), group(arguments(4), ["Embedding"]))
        weights = read(make(tmp_path, tensors_of(weight), both))
        assert set(weights) == {"m.weight_packed", "m.weight_scale", "m.weight_shape"}

    def test_the_same_twice_is_no_question(self, tmp_path):
        weight = random_quantized((6, 8), 3)
        same = config(group(arguments(3)), group(arguments(3), ["Embedding"]))
        assert_same(read(make(tmp_path, tensors_of(weight), same))["m.weight"], weight)

    @pytest.mark.parametrize(
        ("limit", "groups", "ignore", "message"),
        [
            (
                "MAX_STEPS",
                ["re:.*up$"],
                [],
                "expected patterns and groups that are told for all modules in 20 steps",
            ),
            ("MAX_STEPS", [f"re:{'up|' * 20}"], [], "expected patterns and groups that are told for all"),
            (
                "MAX_STEPS",
                ["Linear"],
                [],
                "expected patterns and groups that are told for all modules in 20 steps",
            ),
            ("MAX_STEPS", ["m"], ["re:(a|b|c)*d"], "expected patterns and groups that are told for all"),
            (
                "MAX_PATTERN_CHARACTERS",
                ["re:" + "a" * 20],
                [],
                "expected patterns of at most 20 characters .*, got 21",
            ),
            (
                "MAX_PATTERN_CHARACTERS",
                ["m"],
                ["re:"] * 21,
                "expected patterns of at most 20 characters .*, got 21",
            ),
            ("MAX_GROUPS", ["m"] * 21, [], "config_groups: expected at most 20 groups, got 21"),
        ],
    )
    def test_too_much(self, tmp_path, monkeypatch, limit, groups, ignore, message):
        monkeypatch.setattr(groups_module, limit, 20)
        with pytest.raises(FormatError, match=rf"config\.json: quantization_config: {message}"):
            self.read(tmp_path, *(group(arguments(4), [target]) for target in groups), ignore=ignore)

    def test_many_groups_of_one_scheme_are_one_question(self, tmp_path, monkeypatch):
        monkeypatch.setattr(groups_module, "MAX_STEPS", 2 * 2 * groups_module.TRIAL_STEPS)
        same = [group(arguments(4), [f"Layer{number}"]) for number in range(500)]
        four, eight = self.read(tmp_path, *same, group(arguments(8)))
        assert_same(four, self.FOUR)
        assert_same(eight, self.EIGHT)


@pytest.mark.parametrize(
    "change",
    [
        {"type": "float"},
        {"strategy": "block", "block_structure": [2, 2]},
        {"strategy": "tensor_group", "group_size": 5},
        {"strategy": "token"},
        {"num_bits": 1},
        {"num_bits": 16},
    ],
    ids=str,
)
def test_schemes_without_a_form(tmp_path, change):
    tensors = tensors_of(random_quantized((6, 10), 4))
    weights = read(make(tmp_path, tensors, config(group(arguments() | change))))
    assert set(weights) == set(tensors)
    for name, array in tensors.items():
        assert_same(weights[name], array)


@pytest.mark.parametrize(
    "extra",
    [
        {"m.weight_g_idx": np.arange(10, dtype=np.int32)},
        {"m.weight_global_scale": np.ones(1, np.float32)},
        {"m.weight_scale": np.ones((6, 1))},
        {"m.weight_packed": np.zeros((2, 6, 2), np.int32)},
    ],
    ids=lambda extra: next(iter(extra)),
)
def test_tensors_without_a_form(tmp_path, extra):
    tensors = tensors_of(random_quantized((6, 10), 4)) | extra
    assert set(read(make(tmp_path, tensors, config()))) == set(tensors)


def test_other_tensors_stay(tmp_path):
    extra = {
        "m.input_scale": np.ones(1, np.float32),
        "m.weight_other": np.ones(3, np.float16),
        "n.weight": np.ones((2, 2), np.float32),
        "n.weight_scale": np.ones((2, 1), np.float32),  # quantized in calculation only
        "k_scale": np.ones(1, np.float32),
    }
    weights = read(make(tmp_path, tensors_of(random_quantized((6, 10), 4)) | extra, config()))
    assert set(weights) == {"m.weight", *extra}
    for name, array in extra.items():
        assert_same(weights[name], array)


@pytest.mark.parametrize(
    "quantization",
    [None, {"quant_method": "gptq"}, {}, config() | {"quant_method": None}],
    ids=["none", "gptq", "empty", "null"],
)
def test_other_methods(tmp_path, quantization):
    tensors = tensors_of(random_quantized((6, 10), 4))
    assert set(read(make(tmp_path, tensors, quantization))) == set(tensors)


FORMS = [
    group(format="int-quantized"), group(format="naive-quantized"), group(format="dense"),
    group(format="float-quantized"), group(format="marlin-24"), group(format="nvfp4-pack-quantized"),
    {"targets": ["Linear"], "weights": None}, {"targets": ["Linear"]}, ["Linear"],
]  # fmt: skip


@pytest.mark.parametrize("entry", FORMS, ids=str)
def test_groups_that_are_not_about_integer_weights(tmp_path, entry):
    tensors = tensors_of(random_quantized((6, 10), 4))
    assert set(read(make(tmp_path, tensors, config(entry)))) == set(tensors)
