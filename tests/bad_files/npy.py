"""Bad .npy files: headers that lie, ask for memory, or are code."""

from __future__ import annotations

from . import SENTINEL, BadFile

MAGIC = b"\x93NUMPY"


def npy(
    header: str | bytes, data: bytes = b"", version: tuple[int, int] = (1, 0), length: int | None = None
) -> bytes:
    header = header if isinstance(header, bytes) else header.encode("latin-1")
    field = 2 if version == (1, 0) else 4
    count = len(header) if length is None else length
    return MAGIC + bytes(version) + count.to_bytes(field, "little") + header + data


def header(descr="'<f4'", fortran="False", shape="(2,)"):
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}}}"


def one(descr="'<f4'", fortran="False", shape="(2,)", data=bytes(8)):
    return npy(header(descr, fortran, shape), data)


RUNS_CODE = f"__import__('os').system('touch {SENTINEL}')"
# A pickle (protocol 0) that makes the sentinel when it is loaded.
MALICIOUS_PICKLE = f"cos\nsystem\n(S'touch {SENTINEL}'\ntR.".encode()
OBJECTS = r"got Python objects \(object\): paring reads no pickles"
LITERAL = "expected a Python literal as .npy header, got"
SIZES = "shape: expected non-negative integers, got"


def bad(name: str, content: bytes, message: str, when: str = "open") -> BadFile:
    return BadFile(f"{name}.npy", content, message, when)


def eighty_bytes(shape: str) -> bytes:
    return npy(header("'|u1'", shape=shape).ljust(70), b"")


FILES = [
    bad("empty", b"", r"expected at least 8 bytes \(the .npy magic\), got a file of 0 bytes"),
    bad("magic", b"PK\x03\x04" + bytes(100), "expected an array that begins with"),
    bad("version-9", npy(header(), bytes(8), (9, 0)), "expected .npy version 1.0, 2.0 or 3.0, got 9.0"),
    bad("asks-for-32-GiB", eighty_bytes(f"({2**35},)"), r"expected 343597384\d\d bytes .*, got 80"),
    bad(
        "asks-for-8-EiB",
        eighty_bytes(f"({2**63},)"),
        "shape: expected at most 9223372036854775807 bytes of uint8",
    ),
    bad(
        "dimension-beyond-64-bits",
        eighty_bytes(f"({2**64},)"),
        "shape: expected at most 9223372036854775807 bytes",
    ),
    bad(
        "shape-product-overflows",
        one(shape=f"({2**32}, {2**32})"),
        "shape: expected at most .* bytes of float32",
    ),
    bad(
        "shape-product-wraps-to-eight",
        one(shape=f"({2**61 + 1}, 8)"),
        "shape: expected at most .* of float32",
    ),
    bad("shape-negative", one(shape="(-2,)"), rf"{SIZES} \[-2\]"),
    bad("shape-of-booleans", one(shape="(True, 2)"), rf"{SIZES} \[True, 2\]"),
    bad("shape-of-floats", one(shape="(2.0,)"), rf"{SIZES} \[2.0\]"),
    bad("shape-a-list", one(shape="[2]"), r"shape: expected a tuple, got \[2\]"),
    bad("shape-of-a-hundred-axes", one(shape=f"({'1,' * 100})"), "shape: expected at most 32 axes, got 100"),
    bad(
        "header-length-beyond-file",
        npy(header(), length=9_000),
        r"a .npy header of 90\d\d bytes, got \d+ bytes",
    ),
    bad(
        "header-length-of-32-bits",
        npy(header(), bytes(8), (2, 0), 2**32 - 1),
        "a .npy header of at most 10000 bytes, got 4294967295",
    ),
    bad("header-is-code", npy(RUNS_CODE), LITERAL),
    bad("header-is-a-comprehension", npy("[x for x in (1,)]"), LITERAL),
    bad("header-shape-is-code", one(shape=RUNS_CODE), LITERAL),
    bad("header-descr-is-code", one(descr=RUNS_CODE), LITERAL),
    bad("header-not-closed", npy("{'descr': "), LITERAL),
    bad("header-of-nested-parentheses", npy("(" * 9_000), LITERAL),
    bad("header-of-minus-signs", npy("-" * 9_000 + "1"), "expected a"),
    bad("header-of-attributes", npy("a" + ".a" * 4_000), LITERAL),
    bad("header-a-power", npy("10**10**10"), LITERAL),
    bad("header-of-nul-bytes", npy(bytes(64)), LITERAL),
    bad(
        "key-missing",
        npy("{'descr': '<f4', 'shape': (2,)}", bytes(8)),
        "a .npy header of descr, fortran_order and",
    ),
    bad(
        "key-more",
        npy(header()[:-1] + ", 'x': 1}", bytes(8)),
        "a .npy header of descr, fortran_order and shape",
    ),
    bad("order-a-number", one(fortran="1"), "fortran_order: expected True or False, got 1"),
    bad("objects", npy(header("'|O'", shape="(1,)"), MALICIOUS_PICKLE), OBJECTS),
    bad(
        "objects-in-a-field", one("[('a', '<i4'), ('b', '|O')]", data=MALICIOUS_PICKLE), "got Python objects"
    ),
    bad("objects-in-a-metadata-dtype", one("('|O', {'metadata': 1})"), "expected a NumPy dtype, got"),
    bad("dtype-unknown", one("'<f3'"), "expected a NumPy dtype, got '<f3'"),
    bad("dtype-a-type", one("None"), "expected a NumPy dtype, got None"),
    bad("dtype-of-no-bytes", one("'|V0'", data=b""), r"expected a dtype with values, got '\|V0'"),
    bad("dtype-of-two-gigabytes", one("'|V2147483647'"), r"expected 4294967\d\d\d bytes"),
    bad("dtype-beyond-32-bits", one("'|V99999999999'"), "expected a NumPy dtype, got"),
    bad("dtype-of-nested-fields", one("[('a', " * 200 + "'<f4'" + ")]" * 200), "expected"),
    bad("truncated", one(data=bytes(7)), r"then float32 \(2,\)\), got \d+"),
    bad("trailing-bytes", one(data=bytes(9)), r"then float32 \(2,\)\), got \d+"),
    bad(
        "boolean-of-two",
        one("'|b1'", data=b"\x01\x02"),
        "expected booleans 0 or 1, got 2 at element 1",
        "look-up",
    ),
    bad(
        "text-beyond-unicode",
        one("'<U1'", data=b"A\0\0\0\0\0\x11\0"),
        "Unicode code points, got 0x110000",
        "look-up",
    ),
]
