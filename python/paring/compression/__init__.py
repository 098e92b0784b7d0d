"""Making weights smaller: pruning, quantization, sparse storage, and recipes for whole models."""
