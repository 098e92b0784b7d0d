"""Fuzz the reader of .npy files."""

from reader_target import fuzz

if __name__ == "__main__":
    fuzz(".npy")
