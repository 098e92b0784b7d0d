"""Fuzz the reader of an index, with one whole shard beside it."""

from pathlib import Path

from reader_target import fuzz

BAD = Path(__file__).resolve().parents[1] / "tests" / "data" / "bad"

if __name__ == "__main__":
    fuzz(".safetensors.index.json", BAD / "a-shard.safetensors")
