"""Which module may know which: imports and includes point one way only."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "python" / "paring"
SOURCES = ROOT / "csrc"

# A module imports from its own layer and from those before it.
LAYERS = [
    "_core",
    "errors",
    "weights",
    "formats",
    "graph",
    "compression",
    "jobs",
    "nn",
    "training",
    "runtime",
    "demo",
    "benchmark",
    "cli",
    "__main__",
]

# They stand where a user stands and may take public names from the package itself.
FACES = ["cli", "__main__"]

# The same for folders of csrc; those of one line may include each other, file by file without a circle.
FOLDERS = [
    {"base"},
    {"cpu"},
    {"threads"},
    {"differences", "nn", "optimizers", "probes", "prune", "quantize", "windows"},
    {"gemm", "pack", "sparse"},
    {"convolution", "products"},
    {"bindings"},
]
RANKS = {folder: rank for rank, folders in enumerate(FOLDERS) for folder in folders}
CXX_FILES = sorted(path for path in SOURCES.rglob("*") if path.suffix in (".h", ".cpp", ".inl"))


def modules():
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def layer_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_layers(path, source):
    """Yield (line, layer) of each import of another module of paring, also those inside functions."""
    package = ["paring", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            targets = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = base + (node.module.split(".") if node.module else [])
            targets = [[*base, alias.name] for alias in node.names]
        else:
            continue
        for target in targets:
            if target[0] == "paring":
                yield node.lineno, target[1] if len(target) > 1 else ""


def violations(path, source):
    own = layer_of(path)
    found = []
    for line, layer in imported_layers(path, source):
        where = f"{path.relative_to(ROOT)}:{line}"
        if layer not in LAYERS and own not in FACES:
            found.append(f"{where}: imports paring.{layer} through the package: name its module")
        elif layer in LAYERS and LAYERS.index(layer) > LAYERS.index(own):
            found.append(f"{where}: {own} must not know {layer}")
    return found


def test_every_module_has_a_layer():
    unknown = {layer_of(path) for path in modules()} - set(LAYERS)
    assert unknown == set(), "give it a place in LAYERS"


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_left(path):
    assert violations(path, path.read_text()) == []


def test_the_package_does_not_import_its_faces():
    assert "cli" not in {
        layer for _, layer in imported_layers(PACKAGE / "__init__.py", (PACKAGE / "__init__.py").read_text())
    }


@pytest.mark.parametrize(
    ("module", "source", "message"),
    [
        ("formats/npz.py", "from ..compression.pruning import prune", "formats must not know compression"),
        ("formats/npz.py", "from .. import compression", "formats must not know compression"),
        ("weights.py", "def f():\n    from .formats import read", "weights must not know formats"),
        ("runtime/linear.py", "import paring.cli", "runtime must not know cli"),
        ("runtime/linear.py", "import paring", "through the package"),
        ("runtime/linear.py", "from paring import read", "through the package"),
    ],
)
def test_a_wrong_import_is_seen(module, source, message):
    assert message in "".join(violations(PACKAGE / module, source))


def test_a_right_import_is_allowed():
    source = "import numpy\nfrom .. import _core\nfrom ..weights import Weight\nfrom . import threads"
    assert violations(PACKAGE / "runtime/linear.py", source) == []


def includes(path):
    return re.findall(r'^\s*#\s*include\s*["<]([^">]+)[">]', path.read_text(), re.MULTILINE)


def own_includes(path):
    return [SOURCES / name for name in includes(path) if (SOURCES / name).is_file()]


def folder_of(path):
    return path.relative_to(SOURCES).parts[0]


cxx_file = pytest.mark.parametrize("path", CXX_FILES, ids=lambda path: path.relative_to(SOURCES).as_posix())


def test_every_folder_has_a_rank():
    assert {folder_of(path) for path in CXX_FILES} <= RANKS.keys(), "give it a place in FOLDERS"


@cxx_file
def test_includes_point_down(path):
    wrong = [
        f"{path.relative_to(ROOT)} includes {other.relative_to(SOURCES)}"
        for other in own_includes(path)
        if RANKS[folder_of(other)] > RANKS[folder_of(path)]
    ]
    assert wrong == []


@cxx_file
def test_quoted_includes_exist(path):
    """Names are relative to csrc, so that a reader sees the family of each."""
    quoted = re.findall(r'^\s*#\s*include\s*"([^"]+)"', path.read_text(), re.MULTILINE)
    assert [name for name in quoted if not (SOURCES / name).is_file()] == []


def test_no_file_includes_itself_in_a_circle():
    done, under_way = set(), []

    def visit(path):
        if path in done:
            return
        circle = [*under_way[under_way.index(path) :], path] if path in under_way else []
        assert circle == []
        under_way.append(path)
        for other in own_includes(path):
            visit(other)
        under_way.pop()
        done.add(path)

    for path in CXX_FILES:
        visit(path)
    assert len(done) == len(CXX_FILES)


@cxx_file
def test_the_core_knows_no_python(path):
    python = [name for name in includes(path) if re.match(r"Python\.h|pybind11/|numpy/|bindings/", name)]
    if folder_of(path) != "bindings":
        assert python == []


def isa_files():
    """Sources with instruction-set flags and every .inl they include, directly or not."""
    text = (SOURCES / "CMakeLists.txt").read_text()
    files = [
        SOURCES / name
        for name in re.findall(r"^paring_isa_source\(\s*\w+\s+\w+\s+(\S+?)\s*\)", text, re.MULTILINE)
    ]
    for path in files:
        files += [other for other in own_includes(path) if other.suffix == ".inl" and other not in files]
    return files


@pytest.mark.parametrize("path", isa_files(), ids=lambda path: path.relative_to(SOURCES).as_posix())
def test_isa_files_include_little(path):
    """A template of the C++ library instantiated here could become everybody's copy of it."""
    family = re.escape(folder_of(path))
    allowed = rf"immintrin\.h|arm_neon\.h|cstddef|cstdint|base/simd/\w+\.h|{family}/\w+\.h|\w+/\w+\.inl"
    assert [name for name in includes(path) if not re.fullmatch(allowed, name)] == []


def test_isa_sources_are_found():
    names = {path.relative_to(SOURCES).as_posix() for path in isa_files()}
    assert {"gemm/f32_avx2.cpp", "gemm/f32_body.inl", "nn/elementary.inl"} <= names
