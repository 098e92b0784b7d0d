"""The interpreter of pickles: plain data of every protocol, and nothing else whatever a pickle says."""

import ast
import gc
import math
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from paring.errors import FormatError
from paring.formats.torch.globals import GLOBALS
from paring.formats.torch.pickle_machine import OPERATIONS, OTHER_OPCODES, run_pickle
from paring.formats.torch.pickle_state import Function, Refusal
from torch_files import Build, Call, Global, Pairs, Persistent, opcodes, pickled

FORMATS = Path(__file__).parents[1] / "python" / "paring" / "formats"
MANY = settings(max_examples=500, deadline=None, print_blob=True)


def run(data, names=GLOBALS, persistent=None, **place):
    return run_pickle(data, "file", names, persistent, **place)[0]


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**200), 2**200)
    | st.floats(allow_nan=False)
    | st.text(max_size=300),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(
            st.text(max_size=5) | st.integers(-9, 9) | st.floats(allow_nan=False) | st.none(), inner
        )
    ),
    max_leaves=20,
)


def with_bytes_as_keys(value):
    """Keys that are no text become the bytes of what they look like, whose hash nobody can choose."""
    if isinstance(value, list | tuple):
        return type(value)(map(with_bytes_as_keys, value))
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else repr(key).encode(): with_bytes_as_keys(item)
            for key, item in value.items()
        }
    return value


@MANY
@given(value=plain, protocol=st.integers(1, 5))
@example(value=[True, False, 2**40, -1, 255, 256, 65536, -(2**31)], protocol=1)
def test_plain_data_comes_back(value, protocol):
    got, end = run_pickle(pickle.dumps(value, protocol), "file", {})
    expected = with_bytes_as_keys(value)
    assert (got, repr(got)) == (expected, repr(expected))
    assert end == len(pickle.dumps(value, protocol))


def test_keys_that_are_no_text():
    value = {1: "a", "1": "b", 2.5: "c", None: "d", b"1": "e", 1 - 2**64: "f"}
    keys = [b"1", "1", b"2.5", b"None", b"b'1'", b"-18446744073709551615"]
    assert run(pickle.dumps(value)) == dict(zip(keys, "abcdef", strict=True))


@pytest.mark.parametrize("size", [3, 300, 70_000])
def test_bytes_come_back(size):
    content = bytes(range(256)) * (size // 256 + 1)
    for protocol in (3, 4, 5):
        assert run(pickle.dumps(content, protocol), {}) == content
    assert run(pickle.dumps(bytearray(content), 5), {}) == content
    assert run(pickle.dumps("é" * size, 4), {}) == "é" * size


def test_bytes_of_protocol_2_come_back():
    assert run(pickle.dumps([b"", b"\0\xff", "\xff"], 2)) == [b"", b"\0\xff", "\xff"]


def test_text_of_python_2_is_text_if_it_is_utf8():
    assert run(b"(U\x03abcU\x02\xff\xfeT\x02\0\0\0\xc3\xa9t.") == ("abc", b"\xff\xfe", "é")


def test_a_pickle_may_stand_anywhere_in_a_buffer():
    data = b"????" + pickled([1, 2]) + b"!!!!"
    assert run_pickle(data, "file", {}, start=4) == ([1, 2], len(data) - 4)


def test_containers_are_shared_and_may_hold_themselves():
    twice = [1]
    got = run(pickle.dumps([twice, twice]))
    assert got[0] is got[1]
    twice.append(twice)
    got = run(pickle.dumps(twice))
    assert got[1] is got
    endless = ([],)
    endless[0].append(endless)
    got = run(pickle.dumps(endless))
    assert got[0][0] is got


def test_sets_are_accepted_and_say_nothing():
    for protocol in (2, 4):
        assert [v.name for v in run(pickle.dumps([{1, 2}, frozenset([3])], protocol))] in (
            ["a set", "a frozenset"],
            ["set", "frozenset"],
        )


def test_attributes_of_an_ordered_dict_are_ignored():
    state = {"_metadata": {"": {"version": 1}}, "__class__": None, "update": None}
    assert run(pickled(Build({"a": 1}, state))) == {"a": 1}


def test_a_function_is_called_with_its_arguments():
    names = {"m.f": Function("m.f", lambda arguments: arguments[0] + 1)}
    assert run(pickled(Call(Global("m.f"), (41,))), names) == 42
    assert run(b"\x8c\x01m\x8c\x01f\x93K\x01\x85R.", names) == 2


def test_persistent_ids_are_asked_for():
    value = [Persistent("a"), Persistent((1,))]
    assert run(pickled(value), {}, lambda identity: [identity]) == [["a"], [(1,)]]
    with pytest.raises(FormatError, match="persistent id: expected something better"):
        run(pickled(value), {}, refuse)


def refuse(arguments):
    raise Refusal("expected something better")


NAMES = {
    "m.refuse": Function("m.refuse", refuse),
    "m.first": Function("m.first", lambda a: a[0]),
    "m.value": 5,
}
LONG_TEXT = opcodes("x" * 100) + b"q\x000"

BAD = {
    "empty": (b"", r"file: pickle opcode at byte 0: expected 1 more bytes, got 0"),
    "no-stop": (b"N", "at byte 1: expected 1 more bytes, got 0"),
    "stop-empty": (b".", "expected one value on the stack at the end, got 0"),
    "stop-two": (b"NN.", "expected one value on the stack at the end, got 2"),
    "stop-mark": (b"N(.", "expected one value on the stack at the end, got 1"),
    "protocol": (b"\x80\x06N.", "expected a pickle protocol up to 5, got 6"),
    "frame": (
        b"\x80\x04\x95" + bytes(7) + b"\x01N.",
        "frame: expected at most the 2 bytes that follow, got 72057594037927936",
    ),
    "unknown": (b"\xff.", "expected opcodes that build plain data and tensors, got 0xff"),
    "text-cut": (b"X\x05\0\0\0abc", "expected 5 more bytes, got 3"),
    "text-huge": (b"\x8d" + b"\xff" * 8 + b"a.", "expected 18446744073709551615 more bytes, got 2"),
    "bytes-huge": (b"\x8e" + b"\xff" * 7 + b"\x7f.", "expected 9223372036854775807 more bytes, got 1"),
    "text-surrogate": (b"X\x03\0\0\0\xed\xa0\x80.", "expected UTF-8, got byte 0xed at 0 of a text of 3 bytes"),
    "long-huge": (b"\x8b\xff\xff\xff\x7f1.", "expected an integer of at most 255 bytes, got 2147483647"),
    "long-cut": (b"\x8a\x08\x01.", "expected 8 more bytes, got 2"),
    "decimal-text": (b"Ieval\n.", "expected decimal digits, got b'eval'"),
    "decimal-underscore": (b"I1_0\n.", "expected decimal digits, got b'1_0'"),
    "decimal-long": (b"L" + b"9" * 700 + b"L\n.", "expected decimal digits, got b'9{60}'..."),
    "line-long": (b"I" + b"1" * 5000 + b"\n.", "expected a line of at most 1000 bytes, got no end of it"),
    "float-cut": (b"G1234", "expected 8 more bytes, got 4"),
    "pop-empty": (b"0N.", "expected 1 values on the stack, got 0"),
    "pop-mark": (b"N(0.", "expected 1 values on the stack, got 0"),
    "popmark-none": (b"N1.", "expected a MARK on the stack, got none"),
    "tuple-no-mark": (b"Nt.", "expected a MARK on the stack, got none"),
    "tuple-short": (b"N\x86.", "expected 2 values on the stack, got 1"),
    "tuple-across-mark": (b"NN(N\x87.", "expected 3 values on the stack, got 1"),
    "append-to-tuple": (b")Na.", "expected a list on the stack, got a tuple"),
    "append-to-nothing": (b"Na.", "expected 1 values on the stack, got 0"),
    "appends-to-dict": (b"}(Ne.", "expected a list on the stack, got a dict"),
    "setitem-on-list": (b"]NNs.", "expected a dict on the stack, got a list"),
    "setitem-short": (b"}Ns.", "expected 3 values on the stack, got 2"),
    "setitems-odd": (b"}(NNNu.", "expected pairs of key and value, got 3 values"),
    "additems-to-list": (b"](N\x90.", "expected a set on the stack, got a list"),
    "key-tuple": (pickled(Pairs([((1, 2), 3)])), "key: expected text or a number of 64 bits, got a tuple"),
    "key-list": (pickled(Pairs([([], 3)])), "key: expected text or a number of 64 bits, got a list"),
    "key-large": (
        pickled(Pairs([(2**64, 3)])),
        "key: expected text or a number of 64 bits, got 18446744073709551616",
    ),
    "get-missing": (b"h\x05.", "memo: expected a number below 0, got 5"),
    "get-large": (b"j\xff\xff\xff\xff.", "memo: expected a number below 0, got 4294967295"),
    "put-gap": (b"Nr\xff\xff\xff\x7f.", "memo: expected number 0 or one before, got 2147483647"),
    "put-nothing": (b"q\0.", "expected 1 values on the stack, got 0"),
    "memoize-nothing": (b"(\x94.", "expected 1 values on the stack, got 0"),
    "global": (pickled(Global("os.system")), "wants 'os.system', which is no part of a state dict; nothing was"),
    "global-model": (pickled(Global("models.Net")), r"'models.Net'.* save model.state_dict\(\) instead"),
    "global-stack": (b"\x8c\x02os\x8c\x06system\x93.", "wants 'os.system'"),
    "global-attribute": (b"\x8c\x01m\x8c\x0efirst.__call__\x93.", "wants 'm.first.__call__'"),
    "global-stack-type": (b"\x8c\x02osK\x01\x93.", "expected module and name as texts, got 'os' and 1"),
    "global-cut": (b"cos", "expected a line of at most 1000 bytes, got no end of it"),
    "global-bytes": (b"c\xff\nsystem\n.", "expected UTF-8, got byte 0xff"),
    "reduce-value": (pickled(Call(Global("m.value"), ())), "expected a function and a tuple to call it with, got 5"),
    "reduce-text": (pickled(Call("os.system", ("ls",))), "got 'os.system' and a tuple"),
    "reduce-list": (pickled(Call(Global("m.first"), [1])), "got m.first and a list"),
    "reduce-short": (b")R.", "expected 2 values on the stack, got 1"),
    "refusal": (pickled(Call(Global("m.refuse"), ())), "m.refuse: expected something better"),
    "repeated": (
        LONG_TEXT + b"(" + 9 * (opcodes(Global("m.first")) + b"h\0\x85R") + b"t.",
        "m.first: expected arguments shorter than the pickle, got repeated ones",
    ),
    "build-list": (pickled(Build([], {})), "expected a dict or a tensor to give a state to, got a list"),
    "build-function": (pickled(Build(Global("m.first"), {})), "to give a state to, got m.first"),
    "build-short": (b"Nb.", "expected 2 values on the stack, got 1"),
    "persistent": (pickled(Persistent("a")), "expected no persistent id here"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_bad_pickles(kind):
    data, message = BAD[kind]
    with pytest.raises(FormatError, match=message):
        run(data, NAMES)


@pytest.mark.parametrize("code", OTHER_OPCODES)
def test_refused_opcodes_are_named(code):
    data = b"(" + opcodes("os.system") + b"N)" + bytes([code]) + b"os\nsystem\n."
    with pytest.raises(FormatError, match=f"plain data and tensors, got {OTHER_OPCODES[code]}$"):
        run(data)


def test_the_end_may_lie_before_that_of_the_buffer():
    with pytest.raises(FormatError, match=r"expected 5 more bytes, got 3 \(as agreed\)"):
        run_pickle(opcodes("hello") + b".", "file", {}, end=8, end_note=" (as agreed)")


def test_every_opcode_is_either_run_or_refused():
    assert not OPERATIONS.keys() & OTHER_OPCODES.keys()
    known = {getattr(pickle, name)[0] for name in pickle.__all__ if name.isupper() and name[0] != "H"
             and isinstance(getattr(pickle, name), bytes)}  # fmt: skip
    assert known == OPERATIONS.keys() | OTHER_OPCODES.keys() | {ord(".")}


def test_code_runs_nothing(tmp_path):
    class Attack:
        def __reduce__(self):
            return eval, (f"open({str(tmp_path / 'sentinel')!r}, 'w').close()",)

    for protocol in range(6):
        with pytest.raises(
            FormatError, match=r"'(__builtin__|builtins)\.eval'|got (GET|PUT|UNICODE|DICT|LIST)"
        ):
            run(pickle.dumps({"weight": Attack()}, protocol))
    assert list(tmp_path.iterdir()) == []
    assert pickle.loads(pickle.dumps(Attack())) is None
    assert [path.name for path in tmp_path.iterdir()] == ["sentinel"]  # so it would have run


def test_nothing_here_can_unpickle_or_import():
    readers = sorted((FORMATS / "torch").glob("*.py"))
    assert len(readers) >= 8
    for path in readers:
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            elif isinstance(node, ast.Name):
                names = [node.id] if node.id in ("eval", "exec", "compile", "__import__", "getattr") else []
            allowed = {
                "__future__", "collections.abc", "dataclasses", "math", "mmap", "numpy", "numpy.typing",
                "pathlib", "re", "struct", "typing",
            }  # fmt: skip
            assert set(names) <= allowed, path


def test_laughs_stay_few():
    data = opcodes("lol") + b"".join(b"q" + bytes([n]) + b"0(" + b"h" + bytes([n]) + b"h" + bytes([n]) + b"t"
                                     for n in range(200)) + b"."  # fmt: skip
    deep = run(data)
    assert deep[1] == deep[0]  # two names of one object: comparing 2**200 leaves would never end
    with pytest.raises(FormatError, match="got a tuple"):
        run(data[:-1] + b"Na.")
    with pytest.raises(FormatError, match=r"key: .* got a tuple"):
        run(b"}(" + data[:-1] + b"Nu.")


@pytest.mark.parametrize("wrap", [b"\x85", b"q\x000]h\0a", b"q\x000}K\1h\0s"], ids=["tuple", "list", "dict"])
def test_deep_nesting_is_built_and_freed(wrap):
    value = run(b"N" + wrap * 100_000 + b".")
    assert type(value) in (tuple, list, dict)
    del value
    gc.collect()


@pytest.mark.parametrize("unit", [
    b"]", b"}", b"(", b"N\x94", b"}\x94", b"}NNs", b"]Na", b"\x8f", b"(\x91", b"N\x85", b"(t", b"M\1\2", b"C\1a",
    b"\x8c\2ab", b"G12345678", b"J\1\2\3\4", b"h\0)R",
])  # fmt: skip
def test_memory_is_bounded_by_the_length(unit):
    start = opcodes(Global("collections.OrderedDict")) + b"\x94"
    data = start + unit * (200_000 // len(unit))
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="more bytes, got 0"):
            run(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 80 * len(data)


def test_numbers_of_numpy_are_numbers():
    values = [np.float32(0.5), np.int64(-3), np.bool_(True), np.uint8(255), np.float64(math.pi)]
    for protocol in (2, 3, 4):
        got = run(pickle.dumps(values, protocol))
        assert got == values
        assert [type(v) for v in got] == [float, int, bool, int, float]
