"""What the scripts that write pages share: where they are, how a time is shown, and what is unset while measuring."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"
README = ROOT / "README.md"
# They slow NumPy where they are set.
UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def microseconds(seconds: float) -> str:
    """Return a time with three digits."""
    value = seconds * 1e6
    return f"{value:,.0f} us" if value >= 100 else f"{value:.1f} us"


def replace_between(text: str, marks: tuple[str, str], block: str) -> str:
    """Return ``text`` with what stands between the marks replaced."""
    before, rest = text.split(marks[0])
    _, after = rest.split(marks[1])
    return f"{before}{marks[0]}\n{block}\n{marks[1]}{after}"
