"""Small pictures made of letters."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["BLANK", "picture_rows"]

BLANK = "\u2800"
# Unicode numbers the eight dots of a cell down the left column, down the right one, and then the bottom pair.
DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])


def picture_rows(image: npt.NDArray[Any], level: float = 0.4) -> list[str]:
    """Return a grey image as lines of braille: every character is two pixels wide and four high.

    Parameters
    ----------
    image : ndarray
        ``(height, width)``, multiples of 4 and 2.
    level : float
        A pixel of at least this much is a dot.

    Examples
    --------
    >>> picture_rows(np.eye(4))
    ['⠑⢄']
    """
    height, width = image.shape
    cells = (image >= level).reshape(height // 4, 4, width // 2, 2)
    codes = np.einsum("rycx,yx->rc", cells, DOTS) + ord(BLANK)
    return ["".join(map(chr, row)) for row in codes]
