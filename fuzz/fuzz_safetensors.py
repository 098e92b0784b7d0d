"""Fuzz the reader of .safetensors files."""

from reader_target import fuzz

if __name__ == "__main__":
    fuzz(".safetensors")
