"""Fuzz the reader of .npz files."""

from reader_target import fuzz

if __name__ == "__main__":
    fuzz(".npz")
