"""How much memory reading takes, as SECURITY.md states it: a multiple of the file's size; for values as they are, none.

`worst_files` has the files that take most for their size; each is read whole, one weight after the other.
"""

import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import paring
from bad_files import gguf, torch
from bad_files.npy import header, npy
from bad_files.zips import Member, archive
from worst_files import FILES, ONE_BLOCK

ALLOWANCE = 1_000_000
PIECES = 15_000_000
"""What is inflated, or decoded by the package gguf, goes in pieces, which take this much more."""
MULTIPLES = {
    ".npy": 1,
    ".safetensors": 60,
    ".index.json": 60,
    ".npz": 2200,
    ".pt": 100,
    ".gguf": 60,
    ".onnx": 100,
}
# Nothing in these is deflated, and a file of so few bytes is nearly all directory.
STORED = {name: 60 for name in FILES if name.endswith(".npz") and not name.startswith("inflating")}
DEFLATED = {"inflating-pickle.pt": MULTIPLES[".npz"]}
DEQUANTIZED = ("q2_k.gguf", "iq1_s.gguf", "tq1_0.gguf")
SECURITY = Path(__file__).parents[1] / "SECURITY.md"


def multiple(name):
    return (STORED | DEFLATED).get(name) or next(
        number for suffix, number in MULTIPLES.items() if name.endswith(suffix)
    )


def read_one_by_one(path):
    weights = paring.read(path)
    for name in weights:
        weights.describe(name)
        weights[name]


@pytest.mark.parametrize("name", FILES)
def test_worst(tmp_path, name):
    path = tmp_path / name
    (tmp_path / f"warm{path.suffix}").write_bytes(FILES[name][:50])
    with pytest.raises((paring.FormatError, ValueError), match="warm"):  # modules are loaded now
        read_one_by_one(tmp_path / f"warm{path.suffix}")
    if name in DEQUANTIZED:
        pytest.importorskip("gguf")
        path.write_bytes(ONE_BLOCK)
        read_one_by_one(path)
        path.unlink()
    path.write_bytes(FILES[name])
    tracemalloc.start()
    try:
        read_one_by_one(path)
    except paring.FormatError as error:
        # Most are refused when all of the header has been read, which is what takes the memory.
        assert name in str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    in_pieces = name in DEQUANTIZED or name.startswith("inflating")
    assert peak < ALLOWANCE + PIECES * in_pieces + multiple(name) * len(FILES[name])


def test_security_states_these_multiples():
    text = SECURITY.read_text()
    for suffix, number in MULTIPLES.items():
        [row] = [
            line
            for line in text.splitlines()
            if line.startswith("|") and f"`{suffix}`" in line and " times" in line
        ]
        stated = [int(found.replace(",", "")) for found in re.findall(r"([\d,]+) times", row)]
        assert max(stated) == number, row


LARGE = 1 << 26
READ_WITH_LITTLE_MEMORY = """
import re, resource, sys
import numpy as np, paring
path, warm = sys.argv[1:]

def look(path):
    weights = paring.read(path)
    return [weights[name] for name in weights]

look(warm)
# What the process may add to its own memory from here on; maps of files are not counted.
now = int(re.search(r"VmData:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (now + (16 << 20),) * 2)
[array] = look(path)
print(array.nbytes, array.dtype, float(array.reshape(-1)[-1]))
try:
    np.ones(64 << 20, np.uint8)
except MemoryError:
    print("limited")
"""


def safetensors_start(count):
    text = f'{{"w":{{"dtype":"F32","shape":[{count}],"data_offsets":[0,{4 * count}]}}}}'.encode().ljust(120)
    return len(text).to_bytes(8, "little") + text


def torch_bytes(count):
    """An archive of zeros that begin at a multiple of 64, as torch.save has them."""
    pickle = torch.holding(torch.tensor(torch.storage(numel=torch.number(count)), shape=(count,)))

    def build(padding, values):
        members = {"data.pkl": pickle, "padding": bytes(padding), "data/0": values}
        return archive(*(Member(f"w/{name}", content) for name, content in members.items()))

    return build(-build(0, b"VALUES").index(b"VALUES") % 64, bytes(4 * count))


STARTS = {
    ".safetensors": safetensors_start(LARGE // 4),
    ".npy": npy(header(shape=f"({LARGE // 4},)")),
    ".gguf": gguf.file(tensors=(gguf.tensor(dims=(LARGE // 4,)),), data=b""),
}


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="no /proc to read one's own size from")
@pytest.mark.parametrize("suffix", [*STARTS, ".npz", ".pt"])
def test_values_stored_as_they_are_take_no_memory(tmp_path, suffix):
    """64 MiB of values are looked up by a process that may take 16 MiB more."""
    path, warm = tmp_path / f"w{suffix}", tmp_path / f"warm{suffix}"
    if suffix in STARTS:
        with path.open("wb") as file:
            file.write(STARTS[suffix])
            file.truncate(len(STARTS[suffix]) + LARGE)  # a hole: it takes no disk either
        paring.write(warm, {"warm": np.ones(4, np.float32)})
    elif suffix == ".npz":
        paring.write(path, {"w": np.zeros(LARGE // 4, np.float32)})
        paring.write(warm, {"warm": np.ones(4, np.float32)})
    else:
        path.write_bytes(torch_bytes(LARGE // 4))
        warm.write_bytes(torch_bytes(4))
    command = [sys.executable, "-c", READ_WITH_LITTLE_MEMORY, path, warm]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == f"{LARGE} float32 0.0\nlimited\n", done.stderr
