"""Fuzz the reader of PyTorch files, zip archives and the form before them."""

from reader_target import fuzz

if __name__ == "__main__":
    fuzz(".pt")
