"""Checkpoints as compressed-tensors writes them, made by hand."""

import itertools
import json

import ml_dtypes
import numpy as np
import safetensors.numpy

from paring.formats.compressed_tensors.config import CONFIG_KEY

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def arguments(bits=4, strategy="channel", group_size=None, symmetric=True, **more):
    return {
        "num_bits": bits, "type": "int", "symmetric": symmetric, "strategy": strategy, "group_size": group_size, **more,
    }  # fmt: skip


def group(weights=None, targets=("Linear",), **more):
    return {"targets": list(targets), "weights": arguments() if weights is None else weights, **more}


def config(*groups, **more):
    return {
        "quant_method": "compressed-tensors",
        "format": None,
        "config_groups": {f"group_{i}": entry for i, entry in enumerate(groups or [group()])},
        **more,
    }


def tensors_of(weight, name="m.weight", scale_dtype=np.float32):
    """The tensors of a weight as compressed-tensors would have them: like ours, but any dtype of scale."""
    parts = {f"{name}{suffix}": part for suffix, part in weight.tensors().items()}
    parts[f"{name}_scale"] = parts[f"{name}_scale"].astype(scale_dtype)
    return parts


def packed_8_bits(weight, name="m.weight"):
    """8 bits four to a word, offset by 128, zero points down the rows: by a loop over bytes."""

    def pack(codes):
        rows, columns = codes.shape
        words = np.zeros((rows, -(-columns // 4)), np.uint32)
        for row, column in itertools.product(range(rows), range(columns)):
            words[row, column // 4] |= np.uint32(int(codes[row, column]) + 128) << np.uint32(8 * (column % 4))
        return words.view(np.int32)

    parts = {
        f"{name}_packed": pack(weight.data),
        f"{name}_shape": np.array(weight.shape),
        f"{name}_scale": weight.tensors()["_scale"],
    }
    if weight.zero_point is not None:
        whole = weight.granularity == "tensor"
        points = weight.zero_point.reshape(1) if whole else np.ascontiguousarray(pack(weight.zero_point.T).T)
        parts[f"{name}_zero_point"] = points
    return parts


def make(folder, tensors, quantization=None, metadata=None, text=None):
    path = folder / "model.safetensors"
    safetensors.numpy.save_file(tensors, path, metadata)
    if text is not None or quantization is not None:
        (folder / "config.json").write_text(text or json.dumps({"a": 1, CONFIG_KEY: quantization}))
    return path


def arguments_of(weight):
    return arguments(weight.bits, weight.granularity, weight.group_size, weight.symmetric)


def shards(folder, first, second, quantization):
    safetensors.numpy.save_file(first, folder / "a.safetensors")
    safetensors.numpy.save_file(second, folder / "b.safetensors")
    places = dict.fromkeys(first, "a.safetensors") | dict.fromkeys(second, "b.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    (folder / "config.json").write_text(json.dumps({CONFIG_KEY: quantization}))
