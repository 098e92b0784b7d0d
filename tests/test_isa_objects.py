"""What the compiler made of each instruction-set file: code for a newer CPU must not leak out of it.

An inline function compiled with AVX-512 flags and kept by the linker for everyone would crash old CPUs in
innocent code. So an ISA object defines its entry points and nothing else, and every other object stays at the
baseline.
"""

import functools
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import paring._core

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "csrc"
ISA_SOURCES = [
    (isa, name)
    for isa, name in re.findall(
        r"^paring_isa_source\(\s*\w+\s+(\w+)\s+(\S+?)\s*\)",
        (SOURCES / "CMakeLists.txt").read_text(),
        re.MULTILINE,
    )
]
ISAS = sorted({isa for isa, _ in ISA_SOURCES}, key=len, reverse=True)
FAMILIES = sorted({name.split("/")[0] for _, name in ISA_SOURCES})

isa_source = pytest.mark.parametrize(("isa", "name"), ISA_SOURCES, ids=[name for _, name in ISA_SOURCES])


@functools.cache
def objects():
    """Map each C++ source, relative to csrc, to the object the last build of this Python made of it."""
    for tool in ("nm", "readelf", "objdump"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool} of binutils")
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}-"
    databases = list(ROOT.glob(f"build/{tag}*/compile_commands.json"))
    if not databases:
        pytest.skip(
            f"no build/{tag}* folder beside the tests: an installed package, not a build of this checkout"
        )
    newest = max(databases, key=lambda path: path.stat().st_mtime)
    found = {}
    for command in json.loads(newest.read_text()):
        source = Path(command["file"])
        if source.is_relative_to(SOURCES):
            output = command.get("output") or re.search(r" -o (\S+)", command["command"]).group(1)
            found[source.relative_to(SOURCES).as_posix()] = Path(command["directory"]) / output
    return found


def object_of(name):
    path = objects().get(name)
    if path is None:
        pytest.skip(f"{name} is not part of the last build: the compiler or PARING_ISAS left it out")
    return path


def run(tool, *arguments):
    result = subprocess.run([tool, *arguments], capture_output=True, text=True, check=True)
    return result.stdout


def symbols(path, *options):
    """Pairs (type letter, demangled name) of the symbols of an object."""
    lines = run("nm", "-C", *options, str(path)).splitlines()
    return [re.match(r"[0-9a-f ]*([A-Za-z?]) (.*)", line).groups() for line in lines]


def entry_points(family):
    """Names the headers of a family declare that end in the name of an instruction set."""
    text = "\n".join(path.read_text() for path in sorted((SOURCES / family).glob("*.h")))
    text = re.sub(r"//.*", "", text)
    declared = re.findall(r"^\s*[\w:]+[ *&]+(\w+)\([^;{}]*\);", text, re.MULTILINE)
    for names in re.findall(r"^\s*extern\s+const\s+[\w:]+\s+([^;]+);", text, re.MULTILINE):
        declared += [name.strip() for name in names.split(",")]
    return {name for name in declared if isa_of(name)}


def isa_of(name):
    return next((isa for isa in ISAS if re.fullmatch(rf".*?_?{isa}", name, re.IGNORECASE)), None)


def test_the_list_of_isa_sources_is_read():
    assert {"scalar", "avx2", "avx512"} <= set(ISAS)
    for _, name in ISA_SOURCES:
        assert (SOURCES / name).is_file()
    assert entry_points("gemm") >= {"gemm_f32_scalar", "gemm_s8u8_avx2", "gemm_s8u4_avx512vnni"}
    assert isa_of("gemm_s8u8_avx512vnni") == "avx512vnni"
    assert isa_of("kQuantizeLoopsAvx512") == "avx512"
    assert isa_of("gemm_s8u8_neon") == "neon"
    assert isa_of("kProbeNeonDot") == "neondot"


def test_every_source_named_for_an_instruction_set_is_compiled_as_one():
    named = {
        path.relative_to(SOURCES).as_posix()
        for path in SOURCES.glob("*/*.cpp")
        if isa_of(path.stem) is not None
    }
    assert named == {name for _, name in ISA_SOURCES}


@isa_source
def test_no_symbol_is_weak_or_shared(isa, name):
    """Weak and unique symbols, and section groups, are what a linker merges across objects."""
    path = object_of(name)
    weak = [symbol for symbol in symbols(path) if symbol[0] in "wWvVu"]
    assert weak == []
    assert "There are no section groups" in run("readelf", "--section-groups", "--wide", str(path))


@isa_source
def test_external_symbols_are_entry_points(isa, name):
    declared = entry_points(name.split("/")[0])
    for _, symbol in symbols(object_of(name), "--defined-only", "--extern-only"):
        scope, _, entry = re.sub(r"\(.*", "", symbol).rpartition("::")
        assert scope == "paring", symbol
        assert entry in declared, f"{symbol}: no header of the family declares it"
        assert isa_of(entry) == isa, symbol


@pytest.mark.parametrize("family", FAMILIES)
def test_every_entry_point_is_defined(family):
    built = [(isa, name) for isa, name in ISA_SOURCES if name.split("/")[0] == family and name in objects()]
    defined = {
        re.sub(r"\(.*", "", symbol).rpartition("::")[2]
        for _, name in built
        for _, symbol in symbols(object_of(name), "--defined-only", "--extern-only")
    }
    isas = {isa for isa, _ in built}
    assert defined == {entry for entry in entry_points(family) if isa_of(entry) in isas}


@isa_source
def test_nothing_runs_at_import(isa, name):
    """An initializer in an ISA object would run on every CPU, whatever it can do."""
    sections = run("readelf", "--sections", "--wide", str(object_of(name)))
    assert ".text" in sections
    assert not re.search(r"\.(init_array|ctors|preinit_array)\b", sections)


@isa_source
def test_no_x86_level_is_demanded(isa, name):
    """-march=x86-64-v3 and the like leave a note that wheel checkers refuse."""
    assert "ISA needed" not in run("readelf", "--notes", "--wide", str(object_of(name)))


def test_the_extension_demands_no_x86_level():
    if shutil.which("readelf") is None:
        pytest.skip("needs readelf of binutils")
    assert "ISA needed" not in run("readelf", "--notes", "--wide", paring._core.__file__)


# What the compiler writes for newer CPUs only: VEX and EVEX encodings (all AVX and FMA), BMI, and some singles.
# TZCNT is not here: the baseline's `rep bsf` reads the same. Of ARM's the dot products.
NEWER = re.compile(
    r"^\s*[0-9a-f]+:\s+((?!ver[rw]\b)v[a-z]\w*|shlx|shrx|sarx|rorx|mulx|pdep|pext|andn|bls\w+|bextr|bzhi|movbe|lzcnt|popcnt|[su]dot)\b",
    re.MULTILINE,
)


def newer_instructions(path):
    return set(NEWER.findall(run("objdump", "--disassemble", "--no-show-raw-insn", str(path))))


def test_newer_instructions_are_recognized():
    names = {"gemm/f32_avx2.cpp": "fmadd", "gemm/s8_neondot.cpp": "sdot"}
    built = names.keys() & objects().keys()
    assert built
    for name in built:
        assert any(names[name] in found for found in newer_instructions(object_of(name)))


def test_other_objects_stay_at_the_baseline():
    """Also the scalar files: they run on CPUs without AVX."""
    wide = {name for isa, name in ISA_SOURCES if isa != "scalar"}
    others = {name: path for name, path in objects().items() if name not in wide}
    assert {"gemm/gemm.cpp", "cpu/features.cpp", "bindings/module.cpp"} <= others.keys()
    for name, path in others.items():
        assert newer_instructions(path) == set(), name
