"""Patterns of names: what `re.match` says, but never slowly."""

import re
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paring.formats.compressed_tensors.name_patterns import (
    MAX_NAME_CHARACTERS,
    MAX_PATTERN_CHARACTERS,
    Name,
    NamePattern,
    Work,
    WorkError,
)


def matches(pattern, name, steps=10_000_000):
    return NamePattern(pattern).matches(Name(name, Work(steps)))


NAMES = [
    "",
    "lm_head",
    "model.layers.0.self_attn.q_proj",
    "model.layers.11.mlp.gate_proj",
    "model.layers.11.mlp.experts.7.down_proj",
    "vision.blocks.3.attn",
    "a+b",
    "ünï\ncode",
    "lm_head\n",
]
PATTERNS = [
    "",
    "lm_head",
    ".*lm_head",
    "model",
    r"model\.layers\.\d+\.mlp\..*",
    r".*self_attn\.(q|k|v)_proj$",
    r"^model.*proj$",
    r"(?:vision|model)\.(layers|blocks)\.[0-3]+\.",
    r".*\.(gate|up|down)_proj",
    r"[^.]+$",
    r"(ab|model\.)?la?yers",
    r"(model|layers|\.|\d)+$",
    r"a\+b",
    r".*?experts.+?proj",
    "a|b|",
    "$",
    r"\w+\W",
    "[a-z_]*$",
    "ü.*c",
    "lm_head$",
]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_re_says(pattern, name):
    assert matches(pattern, name) is (re.match(pattern, name) is not None)


@given(
    st.recursive(
        st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\.", r"\w", "", "^", "$", "a*", "b+", "a?", ".*"]),
        lambda inner: st.one_of(
            st.lists(inner, min_size=2, max_size=4).map("".join),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"({'|'.join(parts)})"),
            inner.map(lambda part: f"({part})?"),
            inner.map(lambda part: f"(?:{part})*"),
        ),
        max_leaves=12,
    ),
    st.text("ab.\n", max_size=10),
)
def test_any_pattern_it_knows_says_what_re_says(pattern, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = re.match(pattern, name) is not None
    assert matches(pattern, name) in (None, expected)


@pytest.mark.parametrize(
    "pattern",
    [
        "(", ")", "a)", "*", "a**", "[", "[]", "[b-a]", "\\", r"\1", r"(a)\1", "(?=a)", "(?!a)", "(?i)a", "(?P<n>a)",
        "a{2}", "(a+)+", "(a*)*", "((a|b)*c)+", r"\bA", r"\u0061", "[[a]", "[a--b]", "(" * 30 + ")" * 30,
        "a" * (MAX_PATTERN_CHARACTERS + 1),
    ],
)  # fmt: skip
def test_patterns_beyond_it(pattern):
    assert matches(pattern, "aaa") is None


def test_names_beyond_it():
    assert matches("a*", "a" * MAX_NAME_CHARACTERS) is True
    assert matches("a*", "a" * (MAX_NAME_CHARACTERS + 1)) is None


@pytest.mark.parametrize(
    "pattern", ["a*" * 400 + "b", "(a|a)" * 190 + "b", "a?" * 450 + "b", "(a|aa)*b", ".*" * 400 + "b"]
)
def test_what_would_take_re_for_ever(pattern):
    """With backtracking none of these ends."""
    assert matches(pattern, "a" * MAX_NAME_CHARACTERS) is False


@given(st.text(max_size=40), st.text(max_size=20))
def test_any_text_is_a_pattern(pattern, name):
    assert matches(pattern, name) in (True, False, None)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("(a|b|c)*d", "a" * 500),
        ("a*", "a" * 500),
        ("[ab]", "a" * 500),
        ("a|" * 300, "b"),
        (".*.*.*x", "a" * 300),
    ],
)
def test_work_is_limited(pattern, name):
    assert matches(pattern, name) is not None
    with pytest.raises(WorkError):
        matches(pattern, name, 200)


def test_work_is_shared_by_names_and_patterns():
    work, pattern = Work(30), NamePattern("ab")
    for _ in range(10):
        assert pattern.matches(Name("ab", work)) is True
    with pytest.raises(WorkError):
        pattern.matches(Name("ab", work))
