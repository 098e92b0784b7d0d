"""Fuzz the reader of .gguf files."""

from reader_target import fuzz

if __name__ == "__main__":
    fuzz(".gguf")
