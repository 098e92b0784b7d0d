"""Files that take the most memory for their size, one a kind of thing that a file can be full of."""

from __future__ import annotations

import json
import zlib

from bad_files import gguf, onnx, pickles, torch
from bad_files.npy import header, npy
from bad_files.safetensors import framed
from bad_files.zips import DEFLATED, Member, archive

SIZE = 100_000
"""About how large each file is: large enough that its share shows beside what Python needs anyway."""


def repeated(unit: bytes, beside: int = 0) -> bytes:
    return unit * ((SIZE - beside) // len(unit))


def listed(item: str, start: str, end: str) -> bytes:
    """JSON of as many of an item as fit."""
    return (start + ",".join([item] * (SIZE // (len(item) + 1))) + end).encode()


def numbered(make, start: str, end: str) -> bytes:
    """JSON of numbered items."""
    items, size, at = [], 0, 0
    while size < SIZE:
        items.append(make(at))
        size += len(items[-1]) + 1
        at += 1
    return (start + ",".join(items) + end).encode()


def tensor_entry(at: int) -> str:
    return f'"{at}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'


def unit_shape(at: int) -> str:
    ones = ",".join(["1"] * 32)
    return f'"{at}":{{"dtype":"U8","shape":[0,{ones[:-2]}],"data_offsets":[0,0]}}'


JSON = {
    "empty-lists": listed("[]", '{"w":[', "]}"),
    "empty-objects": listed("{}", '{"w":[', "]}"),
    "small-floats": listed("1.5", '{"w":[', "]}"),
    "large-numbers": listed("98765432109", '{"w":[', "]}"),
    "short-texts": listed('"é"', '{"w":[', "]}"),
    "one-wide-text": ('{"w":"' + "a" * SIZE + '\U0001f600"}').encode(),
    "escaped-texts": listed(r'"\ud83d\ude00"', '{"w":[', "]}"),
    "nested-lists": numbered(lambda at: "[" * 900 + "]" * 900, '{"w":[', "]}"),
    "nested-lists-and-a-wide-letter": numbered(lambda at: "[" * 900 + "]" * 900, '{"\U0001f600":[', "]}"),
    "short-keys": numbered(lambda at: f'"{at}":0', '{"w":{', "}}"),
    "metadata": numbered(lambda at: f'"{at}":""', '{"__metadata__":{', "}}"),
    "weight-map": numbered(lambda at: f'"{at}":"s.safetensors"', '{"weight_map":{', "}}"),
    "tensors": numbered(tensor_entry, "{", "}"),
    "tensors-of-many-axes": numbered(unit_shape, "{", "}"),
}


def configured(**config) -> bytes:
    """A header with a module that is quantized, and what compressed-tensors says of it."""
    document = {"quant_method": "compressed-tensors", "config_groups": {}, **config}
    header = {
        "__metadata__": {"quantization_config": json.dumps(document, separators=(",", ":"))},
        "m.weight": {"dtype": "I8", "shape": [0, 1], "data_offsets": [0, 0]},
        "m.weight_scale": {"dtype": "F32", "shape": [0, 1], "data_offsets": [0, 0]},
    }
    return json.dumps(header).encode()


def patterns(unit: str) -> bytes:
    """Patterns of as many characters as there may be; they need not fill the file."""
    text = "re:" + unit * (900 // len(unit))
    return configured(ignore=[text] * (5900 // len(text)))


JSON |= {
    "empty-patterns": configured(ignore=["re:"] * 5900),
    "patterns-of-choices": patterns("a|"),
    "patterns-of-any": patterns("."),
    "patterns-of-sets": patterns("[ab]"),
    "patterns-of-repeats": patterns("(a)*"),
    "groups": configured(config_groups={f"{at:x}": [] for at in range(1000)}),
    "too-many-groups": configured(config_groups={f"{at:x}": [] for at in range(SIZE // 10)}),
}


def deflated(content: bytes) -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    return stream.compress(content) + stream.flush()


def inflating(dtype: str = "|u1", itemsize: int = 1) -> bytes:
    """As many zeros as deflate can say in so many bytes."""
    content = npy(header(f"'{dtype}'", shape=f"({100_000_000 // itemsize},)"), bytes(100_000_000))
    return archive(Member("w.npy", deflated(content), DEFLATED, raw_content=content))


def noted(text: bytes) -> bytes:
    return archive(Member("__paring__.npy", npy(header("'|u1'", shape=f"({len(text)},)"), text)))


ZIPS = {
    "inflating": inflating(),
    "inflating-swapped": inflating(">f4", 4),
    "members": archive(*(Member(f"{at:x}", b"") for at in range(SIZE // 85))),
    "arrays": archive(
        *(Member(f"{at:x}", npy(header("'|u1'", shape="()"), b"\0")) for at in range(SIZE // 170))
    ),
    "note-of-lists": noted(JSON["empty-lists"]),
    "note-of-metadata": noted(
        b'{"version":1,"weights":{},' + JSON["metadata"][1:].replace(b"__metadata__", b"metadata")
    ),
}


PICKLES = {
    "empty-lists": pickles.EMPTY_LIST,
    "empty-dicts": pickles.EMPTY_DICT,
    "empty-tuples": pickles.EMPTY_TUPLE,
    "marks": pickles.MARK,
    "nones": pickles.NONE,
    "numbers": b"K\x07",
    "floats": b"G" + bytes(8),
    "short-texts": b"\x8c\x01a",
    "ordered-dicts": pickles.find("collections", "OrderedDict") + b"q\x00" + (b"h\x00)R"),
    "memo": b"Nq\x01",
    "pairs": b"NN\x86",
}


def pickled(unit: bytes) -> bytes:
    inner = pickles.EMPTY_LIST + pickles.MARK + repeated(unit) + b"e"
    return torch.zipped(pickles.pickle(pickles.dict_of([(pickles.text("w"), inner)])))


def many_tensors() -> bytes:
    """Names that lead to one tensor, which the memo makes short."""
    first = torch.tensor() + b"q\x00"
    names = (b"\x8c\x06" + f"{at:06}".encode() + b"h\x00" for at in range(SIZE // 10))
    inner = pickles.EMPTY_DICT + pickles.MARK + pickles.text("w") + first + b"".join(names) + b"u"
    return torch.zipped(pickles.pickle(inner))


def shared_dicts() -> bytes:
    """A dict of tensors under many names: short as a graph, and as long as names may be."""
    tensors = b"".join(b"\x8c\x02" + f"{at:02}".encode() + torch.tensor() for at in range(100))
    inner = pickles.EMPTY_DICT + pickles.MARK + tensors + b"uq\x00"
    size = len(torch.tensor()) * 100
    names = b"".join(b"\x8c\x03" + f"{at:03}".encode() + b"h\x00" for at in range(16 * size // 17_200))
    return torch.zipped(
        pickles.pickle(pickles.EMPTY_DICT + pickles.MARK + pickles.text("w") + inner + names + b"u")
    )


def inflating_pickle() -> bytes:
    """A pickle that is as much larger than its archive as it may be."""
    data = pickles.pickle(pickles.EMPTY_LIST + pickles.MARK + pickles.EMPTY_DICT * (9 * SIZE) + b"e")
    member = Member("w/data.pkl", deflated(data), DEFLATED, raw_content=data)
    return archive(member, Member("w/data/0", bytes(SIZE)))


def expanded() -> bytes:
    """One value that is said to be as many as a file may say."""
    return torch.zipped(torch.holding(torch.tensor(shape=(200_000,), stride=(0,))), torch.VALUES)


TORCH = {name: pickled(unit) for name, unit in PICKLES.items()} | {
    "tensors": many_tensors(),
    "shared-dicts": shared_dicts(),
    "expanded": expanded(),
    "inflating-pickle": inflating_pickle(),
}


def quantized(kind: int, block: int, block_bytes: int, size: int = SIZE) -> bytes:
    blocks = size // block_bytes
    return gguf.file(
        tensors=(gguf.tensor(dims=(block * blocks,), kind=kind),), data=bytes(blocks * block_bytes)
    )


ONE_BLOCK = quantized(10, 256, 84, 84)
"""What makes the package that knows such blocks load whatever it needs."""

GGUF = {
    "empty-texts": gguf.keyed(gguf.array(gguf.STRING, SIZE // 8, bytes(SIZE // 8 * 8))),
    "short-texts": gguf.keyed(gguf.array(gguf.STRING, SIZE // 9, gguf.text("\x00") * (SIZE // 9))),
    "wide-text": gguf.keyed(gguf.key("k", gguf.STRING, gguf.text("\U0001f600" * (SIZE // 4)))),
    "broken-text": gguf.keyed(gguf.key("k", gguf.STRING, gguf.text(b"\xff" * SIZE))),
    "booleans": gguf.keyed(gguf.array(gguf.BOOL, SIZE, bytes(SIZE))),
    "bytes": gguf.keyed(gguf.array(gguf.U8, SIZE, b"\xff" * SIZE)),
    "floats": gguf.keyed(gguf.array(gguf.F32, SIZE // 4, b"\x01\x02\x03\x84" * (SIZE // 4))),
    "doubles": gguf.keyed(gguf.array(gguf.F64, SIZE // 8, b"\x01\x02\x03\x04\x05\x06\x07\x80" * (SIZE // 8))),
    "empty-arrays": gguf.keyed(
        gguf.array(gguf.ARRAY, SIZE // 12, (gguf.u32(gguf.U8) + gguf.u64(0)) * (SIZE // 12))
    ),
    "keys": gguf.keyed(*(gguf.key(f"{at:05}", gguf.U8, b"\0") for at in range(SIZE // 18))),
    "tensors": gguf.file(
        tensors=tuple(gguf.tensor(f"{at:05}", dims=(0,)) for at in range(SIZE // 37)), data=b""
    ),
    "tensors-of-blocks-without-elements": gguf.file(
        tensors=tuple(gguf.tensor(f"{at:03x}", dims=(0, 0), kind=2) for at in range(SIZE // 43)), data=b""
    ),
    "other-metadata": gguf.keyed(
        gguf.key("paring.metadata", gguf.STRING, gguf.text(JSON["nested-lists-and-a-wide-letter"]))
    ),
    "q8_0": quantized(8, 32, 34),
    "q4_0": quantized(2, 32, 18),
    "q2_k": quantized(10, 256, 84),
    "iq1_s": quantized(19, 256, 50),
    "tq1_0": quantized(34, 256, 54),
}

ONNX = {
    "initializers": onnx.model(*(onnx.tensor(f"{at:05}", dims=(0,), raw=b"") for at in range(SIZE // 18))),
    "shorter-initializers": onnx.model(*(onnx.message(8, f"{at:03x}") for at in range(0x1000))),
    "shortest-initializers": onnx.model(*(onnx.message(8, f"{at:05}") for at in range(SIZE // 9))),
    "numbers": onnx.model(onnx.tensor(dims=(SIZE,), kind=7, raw=None, more=onnx.message(7, b"\x01" * SIZE))),
    "numbers-one-by-one": onnx.model(
        onnx.tensor(dims=(SIZE // 2,), kind=7, raw=None, more=onnx.integer(7, 1) * (SIZE // 2))
    ),
    "halves-of-bytes": onnx.model(onnx.tensor(dims=(2 * SIZE,), kind=22, raw=bytes(SIZE))),
    "empty-nodes": onnx.model(nodes=(b"",) * (SIZE // 2)),
    "metadata": onnx.model()
    + b"".join(onnx.message(14, onnx.message(1, f"{at:05}")) for at in range(SIZE // 9)),
    "opsets": onnx.model() + onnx.message(8, b"") * (SIZE // 2),
    "dims": onnx.model(onnx.tensor(dims=(), raw=b"", more=onnx.message(1, b"\x01" * SIZE))),
    "external": onnx.model(
        onnx.tensor(raw=None, more=onnx.message(13, onnx.message(1, "k")) * (SIZE // 5) + onnx.integer(14, 1))
    ),
}

FILES = {
    **{f"json-{name}.safetensors": framed(text) for name, text in JSON.items()},
    **{f"json-{name}.safetensors.index.json": text for name, text in JSON.items()},
    **{f"{name}.npz": data for name, data in ZIPS.items()},
    **{f"{name}.pt": data for name, data in TORCH.items()},
    **{f"{name}.gguf": data for name, data in GGUF.items()},
    **{f"{name}.onnx": data for name, data in ONNX.items()},
}
