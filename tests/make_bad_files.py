"""Write `tests/data/bad`: one file a fault, named by what is wrong. Run it after a change of `tests/bad_files`."""

from __future__ import annotations

from pathlib import Path

from bad_files import BadFile, gguf, index, npy, npz, onnx, safetensors, torch

FOLDER = Path(__file__).parent / "data" / "bad"
MODULES = (safetensors, npy, npz, index, torch, gguf, onnx)
FILES: list[BadFile] = [file for module in MODULES for file in module.FILES]


def write_bad_files(folder: Path) -> None:
    """Write all of them, and remove what is no longer one."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for file in FILES:
        (folder / file.name).write_bytes(file.content)


if __name__ == "__main__":
    write_bad_files(FOLDER)
    total = sum(len(file.content) for file in FILES)
    print(f"{FOLDER}: {len(FILES)} files, {total:,} bytes")
