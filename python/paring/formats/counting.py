"""A file that keeps nothing but its size."""

from __future__ import annotations

import io
import os

__all__ = ["CountedFile"]


class CountedFile(io.BytesIO):
    """Takes what is written and forgets it; `size` is that of the file it would be."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 0
        self._place = 0

    def write(self, data: object) -> int:
        count = memoryview(data).nbytes  # type: ignore[arg-type]
        self._place += count
        self.size = max(self.size, self._place)
        return count

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.size}[whence] + offset
        return self._place
