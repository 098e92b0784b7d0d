"""Models as plain data: nodes with ONNX's operators and meaning over named arrays.

`nodes.Graph` is the data, `ops` has one file an operator (shape rule, meaning, gradient), `evaluation` runs a graph by
the meanings of its operators, forward and backward.
"""
