"""The layout of the package compressed-tensors: `config` says what we write, `file` understands what others wrote."""
