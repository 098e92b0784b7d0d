"""Files and blocks made with the package `gguf`, which is the oracle of the tests of GGUF."""

import gguf
import numpy as np

BLOCKS = {kind: size for kind, size in gguf.GGML_QUANT_SIZES.items() if size[0] > 1}


def write_reference(path, arrays, kinds=None, **options):
    """Write a file with the package: arrays, or bytes of the types in `kinds`."""
    writer = gguf.GGUFWriter(path, "test", **options)
    for name, values in arrays.items():
        kind = (kinds or {}).get(name)
        writer.add_tensor(name, values, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def random_blocks(kind, shape, seed=0):
    """Bytes of a type: any whatever, but scales that are no NaN where ours and theirs could differ in its bits."""
    size, count = BLOCKS[kind]
    rows = (*shape[:-1], shape[-1] // size * count)
    blocks = np.random.default_rng(seed).integers(0, 256, rows, np.uint8)
    if kind.name in ("Q8_0", "Q4_0"):
        blocks.reshape(-1, count)[:, 1] &= 0xBF
    return blocks
