"""The recipes that ``paring demo`` compares."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..compression.criteria import Scope
from ..compression.recipe import PruneStep, QuantizeStep, Recipe, SparsifyStep

__all__ = ["DIGITS_VARIANTS", "FILE_VARIANTS", "INT4_GROUP", "Variant"]


@dataclass(frozen=True)
class Variant:
    """A recipe with its name in the table, and the options of ``paring compress`` that do the same."""

    label: str
    recipe: Recipe
    options: str

    @property
    def file_name(self) -> str:
        """A name for the file it is written to."""
        return "-".join(re.findall(r"[a-z0-9]+", self.label.replace("%", ""))) + ".safetensors"


FLOAT32 = Variant("float32", Recipe(()), "")
AS_IT_IS = Variant("as it is", Recipe(()), "")
INT8 = Variant("int8 per channel", Recipe((QuantizeStep(),)), "--bits 8")
INT4_GROUP = Variant(
    "int4 in groups of 32",
    Recipe((QuantizeStep(bits=4, granularity="group", group_size=32),)),
    "--bits 4 --group-size 32",
)
INT4 = Variant("int4 per channel", Recipe((QuantizeStep(bits=4),)), "--bits 4")


def pruned(share: float, scope: Scope) -> Variant:
    """Return the variant that drops this share, of every weight or of all together, and stores the rest as CSR."""
    recipe = Recipe((PruneStep(sparsity=share, scope=scope), SparsifyStep()))
    return Variant(f"{share:.0%} pruned, csr".replace("%", " %"), recipe, _pruning_options(share, scope))


def pruned_and_quantized(share: float, scope: Scope) -> Variant:
    """Return the variant that also rounds the rest to int8."""
    recipe = Recipe((PruneStep(sparsity=share, scope=scope), QuantizeStep(), SparsifyStep()))
    options = f"{_pruning_options(share, scope)} --bits 8"
    return Variant(f"{share:.0%} pruned, int8 csr".replace("%", " %"), recipe, options)


def _pruning_options(share: float, scope: Scope) -> str:
    return f"--sparsity {share:g}{' --scope global' if scope == 'global' else ''} --sparse"


TWO_OF_FOUR = Variant(
    "2:4 pruned, int8",
    Recipe((PruneStep(structure="2:4"), QuantizeStep())),
    "--structure 2:4 --bits 8",
)

# The layers of the digit classifier are alike in scale, so that one threshold for all costs it least.
DIGITS_VARIANTS = (
    FLOAT32,
    INT8,
    INT4_GROUP,
    INT4,
    pruned(0.5, "global"),
    pruned(0.8, "global"),
    pruned(0.9, "global"),
    pruned_and_quantized(0.8, "global"),
    TWO_OF_FOUR,
)
# Of a model nobody knows, one weight may be all small without being useless. Without labels to judge by, the rows
# that differ in kind are enough.
FILE_VARIANTS = (
    AS_IT_IS,
    INT8,
    INT4_GROUP,
    INT4,
    pruned(0.8, "tensor"),
    pruned_and_quantized(0.9, "tensor"),
)
