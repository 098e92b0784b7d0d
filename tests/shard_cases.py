"""A checkpoint in two shards, for the tests that read one."""

import json

import numpy as np

from paring.formats import write
from weight_files import random_array

ARRAYS = {
    "a": random_array(np.float32, (3, 4), 1),
    "b": random_array(np.float16, (5,), 2),
    "c": random_array(np.int64, (), 3),
}
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
PLACES = {"b": SECOND, "a": FIRST, "c": SECOND}


def write_index(folder, weight_map, name="model.safetensors.index.json", **more):
    path = folder / name
    path.write_text(json.dumps({"metadata": {"total_size": 123}, "weight_map": weight_map, **more}))
    return path


def write_shards(folder):
    """Write the shards and return the path of their index."""
    write(folder / FIRST, {"a": ARRAYS["a"]}, metadata={"who": "first", "one": "1"})
    write(folder / SECOND, {"b": ARRAYS["b"], "c": ARRAYS["c"]}, metadata={"who": "second", "two": "2"})
    return write_index(folder, PLACES)
