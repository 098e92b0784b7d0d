"""Rows of kernel tables as parameters of tests."""

import pytest

from paring import _core


def usable(row):
    return set(row["needs"]) <= set(_core.features())


def every_row(rows):
    """Run a test with each of these rows, as `kernel`; those that this CPU cannot run are skipped."""
    parameters = [
        pytest.param(
            row,
            id=row["name"],
            marks=[] if usable(row) else pytest.mark.skip(f"this CPU lacks {row['needs']}"),
        )
        for row in rows
    ]
    return pytest.mark.parametrize("kernel", parameters)
