"""Bad indices of checkpoints in several files: shards that are missing, elsewhere, or of another kind."""

from __future__ import annotations

import json

from . import BadFile
from .safetensors import one


def index(weight_map: object) -> bytes:
    return json.dumps({"metadata": {"total_size": 8}, "weight_map": weight_map}).encode()


def bad(name: str, content: bytes, message: str, when: str = "open") -> BadFile:
    return BadFile(f"{name}.safetensors.index.json", content, message, when)


SHARD = "a-shard.safetensors"
INSIDE = "tensor 'w': expected a shard in the folder of the index, got"
FILES = [
    BadFile(SHARD, one(), ""),
    bad("whole", index({"w": SHARD}), ""),
    bad("empty", b"", r"expected at least 2 bytes \(a JSON object\), got a file of 0 bytes"),
    bad("not-json", b"{weight_map}", "expected JSON, got"),
    bad("not-an-object", b'["weight_map"]', "expected a JSON object, got list"),
    bad("no-weight-map", b'{"metadata":{}}', "expected a key 'weight_map', got 'metadata'"),
    bad("weight-map-a-list", index([SHARD]), "weight_map: expected an object of strings, got list"),
    bad("weight-map-of-numbers", index({"w": 1}), "weight_map: expected a string for 'w', got int"),
    bad("tensor-twice", b'{"weight_map":{"w":"a","w":"b"}}', "expected every key once, got 'w' twice"),
    bad(
        "tensor-not-in-its-shard",
        index({"v": SHARD}),
        "tensor 'v': expected it in a-shard.safetensors, which",
    ),
    bad(
        "shard-missing",
        index({"w": "nowhere.safetensors"}),
        "expected a shard nowhere.safetensors, got no such file",
    ),
    bad("shard-in-the-parent-folder", index({"w": "../w.safetensors"}), f"{INSIDE} '../w.safetensors'"),
    bad("shard-there-and-back", index({"w": f"../bad/{SHARD}"}), f"{INSIDE} '../bad/a-shard"),
    bad("shard-from-the-root", index({"w": "/etc/w.safetensors"}), f"{INSIDE} '/etc/w.safetensors'"),
    bad("shard-behind-a-nul", index({"w": f"{SHARD}\0.safetensors"}), f"{INSIDE} "),
    bad("shard-of-the-kernel", index({"w": "/proc/self/mem"}), INSIDE),
    bad("shard-a-folder", index({"w": "..safetensors/"}), "expected a"),
    bad(
        "shard-the-index-itself",
        index({"w": "shard-the-index-itself.safetensors.index.json"}),
        "expected a .*shard",
    ),
    bad("shard-without-a-name", index({"w": ""}), "expected a"),
]
