"""Fuzz the reader of .onnx files."""

from reader_target import fuzz

if __name__ == "__main__":
    fuzz(".onnx")
