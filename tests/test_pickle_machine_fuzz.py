"""Random bytes, opcodes and arguments: a pickle is run or refused with a FormatError, and nothing else happens."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paring.errors import FormatError
from paring.formats.torch.globals import GLOBALS
from paring.formats.torch.pickle_machine import OPERATIONS, run_pickle
from paring.formats.torch.pickle_state import Function, Refusal
from torch_files import Global, Raw, opcodes

MANY = settings(max_examples=500, deadline=None, print_blob=True)


@MANY
@given(data=st.binary(max_size=100))
def test_random_bytes(data):
    refuse_or_run(data)


UNITS = [bytes([code]) for code in OPERATIONS] + [
    opcodes(v)
    for v in (
        1, -1.5, "a", b"b", (), [1], {"k": 2}, (1, 2), ("storage",), Raw(b"q\0"), Raw(b"h\0"),
        Global("collections.OrderedDict"), Global("torch._utils._rebuild_tensor_v2"), Global("torch.Size"),
        Global("_codecs.encode"), Global("torch.FloatStorage"), Global("numpy.dtype"), Global("torch.float32"),
        Global("numpy._core.multiarray._reconstruct"), Global("numpy._core.multiarray.scalar"),
        Global("torch._tensor._rebuild_from_type_v2"), Global("torch._utils._rebuild_parameter"),
    )
]  # fmt: skip


@settings(parent=MANY, max_examples=2000)
@given(units=st.lists(st.sampled_from(UNITS), max_size=40))
def test_random_opcodes(units):
    refuse_or_run(b"".join(units) + b".")


def refuse_or_run(data):
    try:
        run_pickle(data, "file", GLOBALS, lambda identity: identity)
    except FormatError as error:
        assert str(error).startswith("file: pickle opcode at byte ")
        assert len(str(error)) < 1000


@pytest.mark.parametrize("name", [name for name, value in GLOBALS.items() if isinstance(value, Function)])
@settings(max_examples=100, deadline=None)
@given(arguments=st.lists(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.binary(max_size=9)
    | st.sampled_from(["latin1", "f4", "b1", [], {}, (), [["a", 1]], *GLOBALS.values()])
    | st.lists(st.integers(-2, 9), max_size=4).map(tuple),
    max_size=8,
).map(tuple))  # fmt: skip
def test_functions_return_or_refuse(name, arguments):
    try:
        GLOBALS[name].call(arguments)
    except Refusal as error:
        assert str(error)
