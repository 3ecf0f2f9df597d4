"""The plan of docs/architecture.md holds: imports run downwards, in no circle, and files stay short."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "wavegen"
LONGEST_FILE = 250
# Each package imports from itself, from those before it and from the foundations, wavegen/*.py.
ORDER = """
compiled distributions flows nets audio untrusted linguistics data models objectives inference metrics runs
engines synthesis training report evaluation benchmark cli
""".split()
FILES = sorted(PACKAGE.rglob("*.py"))


def module_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in FILES}


def imports_of(path):
    """The modules of ours that a file names in its imports; those for annotations only are left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", None) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "wavegen":
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in MODULES else node.module


IMPORTS = {name: set(imports_of(path)) for name, path in MODULES.items()}


def package_of(module):
    """The package right below wavegen/; None for a foundation."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and (PACKAGE / parts[1]).is_dir() else None


def test_the_order_names_every_package():
    assert set(ORDER) == {package_of(name) for name in MODULES} - {None}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_run_downwards(module):
    own = package_of(module)
    allowed = (
        set(ORDER) if module == "wavegen.__main__" else set(ORDER[: ORDER.index(own) + 1] if own else [])
    )
    used = {package_of(name) for name in IMPORTS[module]} - {None}
    assert used <= allowed


def test_flows_know_no_nets_and_nets_no_flows():
    for module, imports in IMPORTS.items():
        for one, other in (("flows", "nets"), ("nets", "flows")):
            if package_of(module) == one:
                assert other not in {package_of(name) for name in imports}, module


def circle(imports):
    """Modules that import each other in a circle, the first one again at the end; empty if there is none."""
    try:
        TopologicalSorter({name: found - {name} for name, found in imports.items()}).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_nothing_imports_in_a_circle():
    faces = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    assert circle({name: imports - faces for name, imports in IMPORTS.items()}) == []
    assert sorted(set(circle({"a": {"b", "a"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}))) == ["a", "b", "c"]


def test_only_training_knows_lightning():
    users = {
        name
        for name, path in MODULES.items()
        if re.search(r"^(import|from) lightning", path.read_text(), re.M)
    }
    assert {package_of(name) for name in users} == {"training"}


def test_espeak_is_named_in_one_package_only():
    """And in configurations; other files say "front end"."""
    named = {name for name, path in MODULES.items() if "espeak" in path.read_text(encoding="utf-8").lower()}
    assert named and all("espeak" in name.split(".") for name in named)


@pytest.mark.parametrize("path", [*FILES, *(ROOT / "benchmarks").glob("*.py")], ids=lambda path: path.name)
def test_files_are_short(path):
    """Past that, ask what second idea moved in."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE
