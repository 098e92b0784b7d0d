import numpy as np
import pytest

import paring


@pytest.fixture(params=[".safetensors", ".npz"])
def path(request, tmp_path):
    path = tmp_path / f"w{request.param}"
    paring.write(path, {"a": np.zeros(3), "b" * 50: np.zeros(3)})
    return path


def test_tensors(path):
    assert len(paring.read(path, limits=paring.Limits(tensors=2))) == 2
    with pytest.raises(
        paring.FormatError, match=r"w\.\w+: expected at most 1 tensors \(limits.tensors\), got 2"
    ):
        paring.read(path, limits=paring.Limits(tensors=1))


def test_names_are_counted_in_bytes(tmp_path):
    path = tmp_path / "w.npz"
    paring.write(path, {"é" * 10: np.zeros(3)})
    paring.read(path, limits=paring.Limits(name_bytes=20))
    with pytest.raises(
        paring.FormatError,
        match=r"names of at most 19 bytes \(limits.name_bytes\), got 20 bytes in 'éééééééééé'",
    ):
        paring.read(path, limits=paring.Limits(name_bytes=19))


def test_header_of_safetensors(tmp_path):
    path = tmp_path / "w.safetensors"
    paring.write(path, {"a": np.zeros(3)})
    length = int.from_bytes(path.read_bytes()[:8], "little")
    paring.read(path, limits=paring.Limits(header_bytes=length))
    with pytest.raises(
        paring.FormatError,
        match=rf"header length at byte 0: expected at most {length - 1} bytes \(limits.header_bytes\), got {length}",
    ):
        paring.read(path, limits=paring.Limits(header_bytes=length - 1))


@pytest.mark.parametrize("name", ["header_bytes", "tensors", "name_bytes"])
def test_bad_limits(name):
    with pytest.raises(ValueError, match=rf"limits.{name}: expected 1 or more, got 0"):
        paring.Limits(**{name: 0})
    with pytest.raises(TypeError, match=rf"limits.{name}: expected an int, got str '5'"):
        paring.Limits(**{name: "5"})


def test_limits_of_another_type(tmp_path):
    with pytest.raises(TypeError, match="limits: expected Limits, got dict"):
        paring.read(tmp_path / "w.npz", limits={})
