"""Bad .npz files: zip archives that lie, bombs, and members that are no arrays."""

from __future__ import annotations

import json

from . import BadFile
from .npy import MALICIOUS_PICKLE, header, npy
from .zips import DEFLATED, Member, archive, deflated_zeros

ARRAY = npy(header(), bytes(range(8)))
W = Member("w.npy", ARRAY)


def bytes_array(count: int, data: bytes) -> bytes:
    return npy(header("'|u1'", shape=f"({count},)"), data)


def bomb(says: int, zeros: int) -> bytes:
    """Deflated zeros behind no header at all, so that a prefix is harmless."""
    return archive(Member("w.npy", deflated_zeros(zeros), DEFLATED, size=says, raw_content=b""))


def inflating(says: int, zeros: int) -> bytes:
    """An array that says it is short, in a deflated member that goes on for long."""
    start = bytes_array(says, b"")
    # A stored block that is not the last one, then the zeros.
    block = b"\0" + len(start).to_bytes(2, "little") + (len(start) ^ 0xFFFF).to_bytes(2, "little") + start
    return archive(
        Member("w.npy", block + deflated_zeros(zeros), DEFLATED, size=len(start) + says, raw_content=b"")
    )


def noted(note: object, *members: Member) -> bytes:
    text = json.dumps(note).encode()
    return archive(*members, Member("__paring__.npy", bytes_array(len(text), text)))


def bad(name: str, content: bytes, message: str, when: str = "open") -> BadFile:
    return BadFile(f"{name}.npz", content, message, when)


PATHS = [Member(f"{name}.npy", ARRAY) for name in ("/etc/passwd", "../../w", "w")]
SPARSE = {"kind": "sparse", "shape": [2, 2]}
WHERE = r"member 'w\.npy' at byte 0: "
DAMAGED = "expected a zip archive, got|directory of the zip archive is damaged"
FILES = [
    bad(
        "empty", b"", r"expected at least 22 bytes \(the end record of a zip archive\), got a file of 0 bytes"
    ),
    bad("not-a-zip", bytes(100), "expected a zip archive, got File is not a zip file"),
    bad(
        "directory-missing",
        archive(W)[: len(ARRAY) + 35],
        "expected a zip archive, got File is not a zip file",
    ),
    bad("end-record-of-ones", archive(W, end=b"PK\x05\x06" + b"\xff" * 16 + b"\0\0"), DAMAGED),
    bad("truncated", archive(W)[:-1], "expected a zip archive, got File is not a zip file"),
    bad("start-missing", archive(W)[20:], "at byte -20: expected a place within the file of", "look-up"),
    bad(
        "version-9.9",
        archive(Member("w.npy", ARRAY, version=99)),
        "directory of the zip archive is damaged: .*9.9",
    ),
    bad(
        "encrypted",
        archive(Member("w.npy", ARRAY, flags=1)),
        "without a password, got an encrypted one",
        "look-up",
    ),
    bad(
        "method-12",
        archive(Member("w.npy", ARRAY, 12)),
        "expected stored or deflated, got method 12",
        "look-up",
    ),
    bad(
        "checksum",
        archive(Member("w.npy", ARRAY, checksum=7)),
        "expected the checksum 0x00000007, got",
        "look-up",
    ),
    bad(
        "local-header",
        archive(Member("w.npy", ARRAY, local_magic=b"MZ\0\0")),
        rf"{WHERE}expected .*got b'MZ",
        "look-up",
    ),
    bad(
        "offset-beyond-file",
        archive(Member("w.npy", ARRAY, offset=2**31)),
        "at byte 2147483648|damaged",
        "look-up",
    ),
    bad(
        "member-size-lies",
        archive(Member("w.npy", ARRAY, size=2**31)),
        rf"{WHERE}expected \d+ bytes from \d+ stored, got a size of 2147483648",
        "look-up",
    ),
    bad(
        "member-sizes-lie",
        archive(Member("w.npy", ARRAY, size=2**31, packed_size=2**31)),
        rf"{WHERE}expected 2147483648 bytes from byte \d+, got a file of \d+ bytes",
        "look-up",
    ),
    bad(
        "bomb-of-a-size",
        bomb(2**32 - 2, 10**6),
        "expected at most .* deflated, got a size of 4294967294",
        "look-up",
    ),
    bad("bomb-of-zeros", bomb(10**6, 10**6), "expected an array that begins with", "look-up"),
    bad(
        "bomb-behind-an-array",
        inflating(10, 10**6),
        r"member 'w\.npy': expected \d+ inflated bytes, got more",
        "look-up",
    ),
    bad("deflated-too-short", inflating(1000, 10), r"expected 1\d\d\d inflated bytes, got \d+", "look-up"),
    bad(
        "deflated-nonsense",
        archive(Member("w.npy", b"\xff" * 50, DEFLATED, size=100)),
        r"member 'w\.npy': expected deflated bytes, got Error -3",
        "look-up",
    ),
    bad("member-without-a-name", archive(Member("", ARRAY)), ""),
    bad(
        "members-of-the-same-bytes",
        archive(W, *(Member(f"w{at}.npy", ARRAY, offset=0) for at in range(100))),
        "expected members that share no bytes, got",
    ),
    bad("member-twice", archive(W, W), r"expected every member once, got 'w\.npy' twice"),
    bad("array-twice", archive(W, Member("w", ARRAY)), r"array 'w': got both 'w\.npy' and 'w'"),
    bad(
        "member-no-array",
        archive(Member("w.npy", b"hello, hello")),
        "expected an array that begins with",
        "look-up",
    ),
    bad(
        "member-of-objects",
        archive(Member("w.npy", npy(header("'|O'", shape="(1,)"), MALICIOUS_PICKLE))),
        r"got Python objects \(object\): paring reads no pickles",
        "look-up",
    ),
    bad(
        "note-not-json",
        archive(W, Member("__paring__.npy", bytes_array(2, b"{x"))),
        "__paring__.npy': expected JSON",
    ),
    bad(
        "note-of-floats",
        archive(W, Member("__paring__.npy", ARRAY)),
        "expected a vector of uint8, got float32",
    ),
    bad(
        "note-of-a-dtype",
        noted({"version": 1, "weights": {}, "dtypes": {"w": "object"}}, W),
        "dtypes: expected one",
    ),
    bad(
        "note-of-a-missing-part",
        noted({"version": 1, "weights": {"q": SPARSE}}, W),
        "got none called",
    ),
    # Names of members are names of weights and nothing else: nobody makes a path of them.
    bad(
        "names-that-are-paths",
        archive(*(Member(f"{name}.npy", ARRAY) for name in ("/etc/passwd", "../../w", "w"))),
        "",
    ),
]
