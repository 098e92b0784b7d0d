"""The shapes that are measured, each in one place."""

from __future__ import annotations

# (in_features, out_features) of linear layers: MiniLM, BERT, and language models of 7 billion weights.
LAYERS = ((384, 1536), (1536, 384), (768, 3072), (3072, 768), (4096, 4096), (4096, 11008))
ROWS = (1, 4, 16, 64, 256, 1024)

# What int4 and float32 are measured on: as much as tells their story.
FEWER_LAYERS = ((384, 1536), (768, 3072), (3072, 768), (4096, 4096))
FEWER_ROWS = (1, 16, 64, 256)

# Weights that come from memory in every call, as those of a model of many layers do.
COLD_ROWS = (1, 4)
COLD_LAYERS = ((768, 3072), (4096, 4096))
