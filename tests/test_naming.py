"""Names: modules are nouns, functions are verbs, and a public name is explained."""

import importlib
import inspect
import pkgutil
import types

import pytest

import paring


def packages_and_modules():
    yield paring
    for info in pkgutil.walk_packages(paring.__path__, "paring."):
        if info.name.rpartition(".")[2] != "__main__":
            yield importlib.import_module(info.name)


MODULES = list(packages_and_modules())
PACKAGES = [module for module in MODULES if hasattr(module, "__path__")]


def name_of(module):
    return module.__name__


def test_every_module_is_found():
    assert {"paring", "paring._core", "paring.weights", "paring.formats.npz"} <= set(map(name_of, MODULES))


def collisions(package):
    """Public objects of a package that are called like one of its modules and are not it."""
    modules = {info.name for info in pkgutil.iter_modules(package.__path__)}
    return [
        name
        for name in modules & set(vars(package))
        if not isinstance(getattr(package, name), types.ModuleType)
    ]


@pytest.mark.parametrize("package", PACKAGES, ids=name_of)
def test_no_public_name_is_that_of_a_module_beside_it(package):
    """Else importing the module would replace the function, or calling the function would call a module."""
    assert collisions(package) == []


def test_a_collision_is_seen(tmp_path, monkeypatch):
    folder = tmp_path / "colliding_package"
    folder.mkdir()
    (folder / "compress.py").write_text("def compress(): pass\n")
    (folder / "__init__.py").write_text("from .compress import compress\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert collisions(importlib.import_module("colliding_package")) == ["compress"]


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_no_module_is_a_drawer(module):
    last = module.__name__.rpartition(".")[2]
    assert last not in {"util", "utils", "helper", "helpers", "common", "misc"}


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_modules_are_explained(module):
    assert module.__doc__


def exported(modules):
    """Map qualified names to the functions and classes that these modules list in __all__."""
    found = {}
    for module in modules:
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            # Aliases of types are not ours to explain.
            ours = getattr(value, "__module__", "").startswith("paring")
            if ours and (inspect.isfunction(value) or inspect.isclass(value)):
                found[f"{value.__module__}.{value.__qualname__}"] = value
    return found


LISTED = exported(MODULES)
PUBLIC = exported(PACKAGES)  # what a package shows, a user may meet


def test_all_lists_are_true():
    for module in MODULES:
        names = list(getattr(module, "__all__", ()))
        assert len(set(names)) == len(names), module.__name__
        assert [name for name in names if not hasattr(module, name)] == [], module.__name__


@pytest.mark.parametrize("name", sorted(LISTED))
def test_listed_names_have_docstrings(name):
    value = LISTED[name]
    assert value.__doc__
    # What dataclass writes when nobody does.
    assert not value.__doc__.startswith(f"{value.__name__}(")


@pytest.mark.parametrize("name", sorted(name for name, value in PUBLIC.items() if inspect.isclass(value)))
def test_members_of_public_classes_have_docstrings(name):
    silent = []
    for member, attribute in vars(PUBLIC[name]).items():
        function = getattr(attribute, "fget", None) or getattr(attribute, "__func__", attribute)
        if not member.startswith("_") and inspect.isfunction(function) and not inspect.getdoc(attribute):
            silent.append(member)
    assert silent == []


@pytest.mark.parametrize(
    "name", [name for name in paring.__all__ if inspect.isfunction(getattr(paring, name))]
)
def test_public_functions_have_an_example(name):
    """Doctests run with the other tests; here only that there is one, with what else a reader looks for."""
    text = inspect.getdoc(getattr(paring, name))
    assert ">>> " in text
    assert "Examples\n--------" in text


def test_the_public_names_are_those_of_the_package():
    assert {"PackedLinear", "QuantizedWeight", "SparseWeight", "read", "write"} <= set(paring.__all__)
    visible = {name for name, value in vars(paring).items() if not isinstance(value, types.ModuleType)}
    assert {name for name in visible if not name.startswith("_")} <= set(paring.__all__)
