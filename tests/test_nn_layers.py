"""Layers: what they refuse and what they say, their shapes and names, without any peer."""

import numpy as np
import pytest

from paring import nn
from paring.graph.operators import Run


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Linear(0, 3), r"Linear\.in_features: expected an int of at least 1, got 0"),
        (lambda: nn.Linear(2, -3), r"Linear\.out_features: expected an int of at least 1, got -3"),
        (lambda: nn.Embedding(0, 3), r"Embedding\.num_embeddings: expected an int of at least 1, got 0"),
        (lambda: nn.Embedding(3, 0), r"Embedding\.embedding_dim: expected an int of at least 1, got 0"),
        (lambda: nn.Conv2d(3, 8, 0), r"Conv2d\.kernel_size: expected an int of at least 1, got 0"),
        (lambda: nn.Conv2d(3, 8, (3,)), r"Conv2d\.kernel_size: expected one int or 2, got \(3,\)"),
        (lambda: nn.Conv1d(3, 8, (3, 3)), r"Conv1d\.kernel_size: expected one int or 1, got \(3, 3\)"),
        (lambda: nn.Conv2d(3, 8, 3, stride=0), r"Conv2d\.stride: expected an int of at least 1, got 0"),
        (lambda: nn.Conv2d(3, 8, 3, padding=-1), r"Conv2d\.padding: expected an int of at least 0, got -1"),
        (
            lambda: nn.Conv2d(3, 8, 3, padding="full"),
            r"Conv2d\.padding: expected sizes or 'same', got 'full'",
        ),
        (
            lambda: nn.Conv2d(3, 8, 3, stride=2, padding="same"),
            r"Conv2d\.padding: expected stride 1 with 'same', got stride 2",
        ),
        (lambda: nn.Conv2d(3, 8, 3, dilation=0), r"Conv2d\.dilation: expected an int of at least 1, got 0"),
        (
            lambda: nn.Conv2d(3, 8, 3, groups=2),
            r"Conv2d\.groups: expected one that divides 3 and 8 channels, got 2",
        ),
        (lambda: nn.Conv2d(4, 8, 3, groups=0), r"Conv2d\.groups: expected an int of at least 1, got 0"),
        (lambda: nn.BatchNorm2d(0), r"BatchNorm2d\.num_features: expected an int of at least 1, got 0"),
        (
            lambda: nn.BatchNorm1d(3, eps=-1),
            r"BatchNorm1d\.eps: expected a finite number of at least 0, got -1",
        ),
        (
            lambda: nn.BatchNorm1d(3, momentum=1.5),
            r"BatchNorm1d\.momentum: expected a finite number from 0 to 1, got 1\.5",
        ),
        (lambda: nn.LayerNorm(()), r"LayerNorm\.normalized_shape: expected one size or more, got \(\)"),
        (lambda: nn.LayerNorm((3, 0)), r"LayerNorm\.normalized_shape: expected an int of at least 1, got 0"),
        (
            lambda: nn.LayerNorm(3, eps=np.nan),
            r"LayerNorm\.eps: expected a finite number of at least 0, got nan",
        ),
        (lambda: nn.MultiHeadAttention(10, 3), r"num_heads: expected one that divides embed_dim 10, got 3"),
        (lambda: nn.MultiHeadAttention(10, 0), r"num_heads: expected an int of at least 1, got 0"),
        (lambda: nn.GELU("erf"), r"GELU\.approximate: expected 'none' or 'tanh', got 'erf'"),
        (lambda: nn.Dropout(1.5), r"Dropout\.p: expected a finite number from 0 to 1, got 1\.5"),
        (lambda: nn.MaxPool2d(0), r"MaxPool2d\.kernel_size: expected an int of at least 1, got 0"),
        (lambda: nn.MaxPool2d(2, stride=0), r"MaxPool2d\.stride: expected an int of at least 1, got 0"),
        (lambda: nn.MaxPool2d(2, dilation=0), r"MaxPool2d\.dilation: expected an int of at least 1, got 0"),
        (
            lambda: nn.AvgPool2d(2, padding=2),
            r"AvgPool2d\.padding: expected at most half of the kernel \(2, 2\), got \(2, 2\)",
        ),
        (
            lambda: nn.Sequential(("a", nn.ReLU()), ("a", nn.ReLU())),
            r"expected each name once, got 'a' twice",
        ),
        (
            lambda: nn.Sequential(("", nn.ReLU())),
            r"name of number 0: expected a name such as 'conv1'.* got ''",
        ),
        (lambda: nn.Sequential({"a:b": nn.ReLU()}), r"expected a name such as 'conv1'.* got 'a:b'"),
        (lambda: nn.Sequential({"a..b": nn.ReLU()}), r"expected a name such as 'conv1'.* got 'a\.\.b'"),
        (lambda: nn.Sequential({"\ud800": nn.ReLU()}), r"expected a name such as 'conv1'.* got '\\ud800'"),
    ],
)
def test_arguments_of_other_values_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Linear(2.5, 3), r"Linear\.in_features: expected an int, got float 2\.5"),
        (lambda: nn.Linear(True, 3), r"Linear\.in_features: expected an int, got bool True"),
        (lambda: nn.Linear(2, 3, bias=1), r"Linear\.bias: expected True or False, got int 1"),
        (lambda: nn.Conv2d(3, 8, [3, 3]), r"Conv2d\.kernel_size: expected an int, got list \[3, 3\]"),
        (lambda: nn.Conv2d(3, 8, 3, bias=None), r"Conv2d\.bias: expected True or False, got NoneType None"),
        (lambda: nn.BatchNorm2d(3, eps="x"), r"BatchNorm2d\.eps: expected a number, got str 'x'"),
        (lambda: nn.BatchNorm2d(3, momentum=None), r"momentum: expected a number, got NoneType None"),
        (lambda: nn.BatchNorm2d(3, affine=0), r"BatchNorm2d\.affine: expected True or False, got int 0"),
        (lambda: nn.LayerNorm(3, affine=0), r"LayerNorm\.affine: expected True or False, got int 0"),
        (lambda: nn.MultiHeadAttention(8, 2, bias=0), r"bias: expected True or False, got int 0"),
        (lambda: nn.MultiHeadAttention(8, 2, causal=1), r"causal: expected True or False, got int 1"),
        (lambda: nn.Softmax(axis=None), r"Softmax\.axis: expected an int, got NoneType None"),
        (lambda: nn.Dropout(True), r"Dropout\.p: expected a number, got bool True"),
        (lambda: nn.MaxPool2d(2, ceil_mode=1), r"MaxPool2d\.ceil_mode: expected True or False, got int 1"),
        (
            lambda: nn.AvgPool2d(2, count_include_pad=1),
            r"AvgPool2d\.count_include_pad: expected True or False, got int 1",
        ),
        (
            lambda: nn.Sequential(nn.ReLU),
            r"Sequential: expected layers, got ReLU as number 0: write ReLU\(\)",
        ),
        (lambda: nn.Sequential(nn.ReLU(), max), r"expected layers, got builtin_function.* as number 1$"),
        (lambda: nn.Sequential((3, nn.ReLU())), r"name of number 0: expected str, got int 3"),
        (lambda: nn.Residual(3), r"Residual\.layer: expected a layer, got int 3"),
        (lambda: nn.Residual(None), r"Residual\.layer: expected a layer, got NoneType"),
        (lambda: nn.Residual(nn.ReLU(), 3), r"Residual\.shortcut: expected a layer, got int 3"),
    ],
)
def test_arguments_of_other_kinds_are_refused(make, message):
    with pytest.raises(TypeError, match=message):
        make()


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (
            nn.Linear(3, 2),
            (None, 4),
            r"layer '', Linear\(3, 2\): expected an input of shape \(\.\.\., 3\), got \(None, 4\)",
        ),
        (nn.Linear(3, 2), (), r"Linear\(3, 2\): expected an input of shape \(\.\.\., 3\), got \(\)"),
        (nn.Sequential(nn.ReLU(), nn.Linear(3, 2)), (1, 4), r"layer '1', Linear\(3, 2\): expected"),
        (
            nn.Sequential({"body": nn.Sequential(nn.Conv2d(3, 8, 3))}),
            (None, 4, 8, 8),
            r"layer 'body\.0', Conv2d\(3, 8, 3\): expected an input of shape \(N, 3, H, W\), got \(None, 4, 8, 8\)",
        ),
        (nn.Conv1d(3, 8, 3), (None, 3, 8, 8), r"Conv1d\(3, 8, 3\): expected an input of shape \(N, 3, L\)"),
        (nn.Conv2d(3, 8, 9), (None, 3, 8, 8), r"Conv node 'conv2d': expected at least one window to fit"),
        (nn.BatchNorm1d(3), (2, 4), r"expected an input of shape \(N, 3\) or \(N, 3, L\), got \(2, 4\)"),
        (nn.BatchNorm2d(3), (2, 3, 4), r"expected an input of shape \(N, 3, H, W\), got \(2, 3, 4\)"),
        (nn.LayerNorm((2, 3)), (4, 3), r"expected an input of shape \(\.\.\., 2, 3\), got \(4, 3\)"),
        (nn.LayerNorm((2, 3)), (3,), r"expected an input of shape \(\.\.\., 2, 3\), got \(3,\)"),
        (nn.MultiHeadAttention(8, 2), (4, 8), r"expected an input of shape \(N, S, 8\), got \(4, 8\)"),
        (nn.MaxPool2d(2), (4, 8), r"MaxPool2d\(2\): expected an input of shape \(N, C, H, W\), got \(4, 8\)"),
        (nn.AvgPool2d(2), (4, 8), r"AvgPool2d\(2\): expected an input of shape \(N, C, H, W\), got \(4, 8\)"),
        (nn.GlobalAvgPool2d(), (4, 8), r"expected an input of shape \(N, C, H, W\), got \(4, 8\)"),
        (nn.Flatten(), (4,), r"Flatten\(\): expected an input of a batch and other axes, got \(4,\)"),
        (nn.Softmax(2), (4, 3), r"Softmax node 'softmax': axis: expected -2 to 1 for 2 axes, got 2"),
        (
            nn.Residual(nn.Linear(3, 4)),
            (None, 3),
            r"layer '', Residual: expected a layer that gives shape \(None, 3\), what is added to it, got \(None, 4\)",
        ),
        (
            nn.Sequential(nn.ReLU(), nn.Embedding(3, 2)),
            (4,),
            r"Embedding\(3, 2\): expected an input of int64",
        ),
    ],
)
def test_inputs_that_do_not_fit_are_refused_with_the_layer_named(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        nn.Model(layer, shape)


def test_descriptions_are_values():
    assert nn.Conv2d(3, 8, 3, padding=1) == nn.Conv2d(3, 8, 3, padding=1)
    assert nn.Linear(3, 2) != nn.Linear(3, 2, bias=False)
    assert len({nn.ReLU(), nn.ReLU(), nn.Sequential(nn.ReLU()), nn.Sequential(nn.ReLU())}) == 2
    with pytest.raises(AttributeError):
        nn.Linear(3, 2).in_features = 4


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (nn.Linear(3, 2), "Linear(3, 2)"),
        (nn.Linear(3, 2, False), "Linear(3, 2, bias=False)"),
        (nn.Conv2d(3, 8, (3, 1), padding="same"), "Conv2d(3, 8, (3, 1), padding='same')"),
        (nn.Sequential(nn.ReLU(), nn.Tanh()), "Sequential(ReLU(), Tanh())"),
        (nn.Sequential({"a": nn.ReLU()}), "Sequential({'a': ReLU()})"),
        (nn.Residual(nn.ReLU()), "Residual(ReLU())"),
    ],
)
def test_a_description_is_shown_as_it_is_written(layer, text):
    assert repr(layer) == text


def test_sequential_by_position_pairs_and_mapping():
    layers = {"a": nn.Linear(3, 3), "b": nn.ReLU()}
    assert nn.Sequential(layers) == nn.Sequential(*layers.items())
    assert list(nn.Sequential(layers)) == list(layers.values())
    assert len(nn.Sequential(layers)) == 2
    assert nn.Sequential(nn.ReLU()).layers == (("0", nn.ReLU()),)
    assert list(nn.Model(nn.Sequential({"a.b": nn.Linear(2, 2)}), (1, 2)).state_dict()) == [
        "a.b.weight",
        "a.b.bias",
    ]


def test_one_description_in_two_places_is_two_layers():
    layer = nn.Linear(4, 4)
    state = nn.Model(nn.Sequential(layer, layer), (None, 4)).state_dict()
    assert list(state) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert not np.array_equal(state["0.weight"], state["1.weight"])


def test_sizes_that_only_a_run_knows():
    conv = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding="same"), nn.GlobalAvgPool2d(), nn.Flatten(), nn.Linear(8, 2)
    )
    model = nn.Model(conv, (None, 3, None, None))
    for shape in [(1, 3, 4, 5), (2, 3, 9, 7), (0, 3, 4, 4)]:
        assert model(np.zeros(shape, np.float32)).shape == (shape[0], 2)
    attention = nn.Model(nn.MultiHeadAttention(8, 2, causal=True), (None, None, 8))
    for shape in [(1, 1, 8), (2, 5, 8), (0, 3, 8)]:
        assert attention(np.zeros(shape, np.float32)).shape == shape


def test_causal_attention_does_not_see_what_comes_later():
    model = nn.Model(nn.MultiHeadAttention(8, 2, causal=True), (None, None, 8))
    x = np.random.default_rng(0).standard_normal((1, 6, 8), np.float32)
    whole, start = model(x), model(x[:, :3])
    np.testing.assert_allclose(whole[:, :3], start, atol=1e-6)
    assert np.abs(nn.Model(nn.MultiHeadAttention(8, 2), (None, None, 8))(x)[:, :3] - start).max() > 1e-3


def test_padding_of_attention():
    x = nn.Input((None, None, 8))
    padding = nn.Input((None, None), "bool", name="padding")
    model = nn.Model([x, padding], nn.MultiHeadAttention(8, 2)(x, padding))
    values = np.random.default_rng(0).standard_normal((1, 6, 8), np.float32)
    mask = np.array([[False] * 4 + [True] * 2])
    seen = model(values, mask)[:, :4]
    np.testing.assert_allclose(seen, model(values[:, :4], mask[:, :4]), atol=1e-6)
    assert np.isnan(model(values, np.ones((1, 6), np.bool_))).all()


@pytest.mark.parametrize("padding", [nn.Input((None, 6), name="p"), nn.Input((6,), "bool", name="p")])
def test_padding_of_another_kind_is_refused(padding):
    x = nn.Input((None, 6, 8))
    with pytest.raises(ValueError, match=r"expected padding of bool \(N, S\), got"):
        nn.MultiHeadAttention(8, 2)(x, padding)


def test_dropout_drops_in_training_only():
    from paring.graph.evaluation import evaluate

    model = nn.Model(nn.Dropout(0.25), (None, 1000))
    x = np.ones((2, 1000), np.float32)
    np.testing.assert_array_equal(model(x), x)
    y = evaluate(model.training_graph, {"input": x}, Run(training=True, rng=np.random.default_rng(0)))[
        "output"
    ]
    assert set(np.unique(y)) == {np.float32(0), np.float32(1) / np.float32(0.75)}
    assert 0.2 < (y == 0).mean() < 0.3
