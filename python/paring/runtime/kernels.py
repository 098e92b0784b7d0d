"""What this installation can run on this CPU, and what it chose."""

from __future__ import annotations

from typing import Any

from .. import _core

__all__ = ["kernel_info"]


def kernel_info() -> dict[str, Any]:
    """Return what the kernels of this process are.

    Returns
    -------
    dict
        ``version``; ``features`` found on this CPU; ``level`` in use and the ``levels`` that ``PARING_ISA`` may name
        here (it caps the choice); ``num_threads``; ``kernels``: one entry a kernel compiled in, with ``name``,
        ``family``, the features it ``needs``, whether it is ``usable`` under the cap, and whether it is ``chosen``.

    Examples
    --------
    >>> import paring
    >>> info = paring.kernel_info()
    >>> info["level"] in info["levels"]
    True
    """
    kernels: list[dict[str, Any]] = []
    chosen: set[tuple[str, str, str]] = set()
    for kernel in [
        *_core.gemm_kernels(),
        *_core.convolution_kernels(),
        *_core.sparse_kernels(),
        *_core.loop_kernels(),
    ]:
        entry: dict[str, Any] = dict(kernel)
        # Tables are best first within a family and kind: the first usable row is the one in use.
        kind = (
            entry["family"],
            str(entry.get("weight_type", entry.get("value_type", entry.get("kind", "")))),
            str(entry.get("compute", "")),
        )
        entry["chosen"] = entry["usable"] and kind not in chosen
        if entry["chosen"]:
            chosen.add(kind)
        kernels.append(entry)
    return {
        "version": _core.version,
        "features": _core.features(),
        "level": _core.active_level(),
        "levels": _core.levels(),
        "num_threads": _core.get_num_threads(),
        "kernels": kernels,
    }
