"""Recipes of every kind for hypothesis."""

from hypothesis import strategies as st

from paring import PruneStep, QuantizeStep, Recipe, SparsifyStep

# Everything that text can hold, halves of surrogate pairs aside: quotes, newlines, control characters, emoji.
globs = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)

criteria = st.one_of(
    st.fixed_dictionaries({"threshold": st.floats(0, allow_infinity=False) | st.integers(0, 10**9)}),
    st.fixed_dictionaries({"sparsity": st.floats(0, 1)}),
    st.fixed_dictionaries({"threshold_std": st.floats(0, 1e300)}),
    st.fixed_dictionaries({"structure": st.sampled_from(["1:2", "2:4", "3:16"])}),
)
prune_steps = st.builds(
    lambda criterion, scope, match: PruneStep(**criterion, scope=scope, match=match),
    criteria,
    st.sampled_from(["tensor", "global"]),
    globs,
)
quantize_steps = st.builds(
    QuantizeStep,
    bits=st.integers(2, 8),
    granularity=st.sampled_from(["tensor", "channel", "group"]),
    group_size=st.integers(1, 2**31 - 1),
    symmetric=st.booleans(),
    convention=st.sampled_from(["paring", "compressed-tensors"]),
    axis=st.none() | st.integers(-64, 63),
    match=globs,
)
gguf_steps = st.builds(
    QuantizeStep,
    bits=st.sampled_from([4, 8]),
    granularity=st.just("group"),
    convention=st.just("gguf"),
    match=globs,
)
sparsify_steps = st.builds(SparsifyStep, match=globs)
recipes = st.builds(
    Recipe,
    steps=st.lists(prune_steps | quantize_steps | gguf_steps | sparsify_steps, max_size=5),
    skip=st.lists(globs, max_size=3),
    min_size=st.integers(0, 2**63 - 1),
)
