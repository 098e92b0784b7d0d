"""Damaged checkpoints of compressed-tensors: read, or refused with a FormatError, and nothing else."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compressed_tensors_files import arguments, config, group, make, packed_8_bits, tensors_of
from paring.errors import FormatError
from paring.formats import read
from weight_files import random_array, random_quantized, read_all


class TestFuzz:
    MANY = settings(
        max_examples=300,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
        print_blob=True,
    )
    VALUES = st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(-2, 40), st.text("Linrem:.*()", max_size=6)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
        max_leaves=4,
    )

    @staticmethod
    def tensors():
        weight = random_quantized((6, 10), 4, "group", 5, symmetric=False)
        return tensors_of(weight) | packed_8_bits(random_quantized((3, 5), symmetric=False), "n.weight")

    @staticmethod
    def full_config():
        return config(
            group(arguments(4, "group", 5, symmetric=False), ["m"]),
            group(arguments(8, symmetric=False), ["re:(n|o)$"], format="pack-quantized"),
            ignore=["lm_head", "re:.*norm"],
        )

    @staticmethod
    def read_or_refuse(path):
        try:
            read_all(read(path))
        except FormatError as error:
            assert str(path.parent) in str(error)

    def test_the_unbroken_one(self, tmp_path):
        weights = read(make(tmp_path, self.tensors(), self.full_config()))
        assert [weights[f"{name}.weight"].bits for name in "mn"] == [4, 8]

    @MANY
    @given(data=st.data())
    def test_any_value_in_the_config(self, tmp_path, data):
        changed = self.full_config()
        owners = [changed, changed["config_groups"]]
        owners += [
            *changed["config_groups"].values(),
            *(g["weights"] for g in changed["config_groups"].values()),
        ]
        owner = data.draw(st.sampled_from(range(len(owners))))
        key = data.draw(st.sampled_from(sorted(owners[owner])))
        owners[owner][key] = data.draw(self.VALUES)
        self.read_or_refuse(make(tmp_path, self.tensors(), changed))

    @MANY
    @given(data=st.data())
    def test_damaged_files(self, tmp_path, data):
        path = make(tmp_path, self.tensors(), self.full_config())
        which = data.draw(st.sampled_from([path, tmp_path / "config.json"]))
        raw = bytearray(which.read_bytes())
        at = data.draw(st.integers(0, len(raw) - 1))
        how = data.draw(st.sampled_from(["flip", "cut", "repeat"]))
        if how == "flip":
            raw[at] ^= data.draw(st.integers(1, 255))
        elif how == "cut":
            del raw[at : at + data.draw(st.integers(1, 40))]
        else:
            raw[at:at] = raw[at : at + data.draw(st.integers(1, 40))]
        which.write_bytes(raw)
        self.read_or_refuse(path)

    @MANY
    @given(
        name=st.sampled_from(sorted(tensors())),
        dtype=st.sampled_from(["int8", "int32", "int64", "float32", "uint8"]),
        shape=st.lists(st.integers(0, 12), max_size=3),
    )
    def test_any_tensor_instead(self, tmp_path, name, dtype, shape):
        changed = self.tensors() | {name: random_array(np.dtype(dtype), tuple(shape))}
        self.read_or_refuse(make(tmp_path, changed, self.full_config()))
