"""What scripts/dependencies.py says of environments that are as they should be, and of others."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "dependencies.py"))
Project, closure, faults, licence, read_installed, read_pins = (
    SCRIPT[name] for name in ("Project", "closure", "faults", "licence", "read_installed", "read_pins")
)

PYPROJECT = """
[build-system]
requires = ["builder"]
[project]
name = "mine"
dependencies = ["One.Thing>=1", "elsewhere; sys_platform == 'win32'"]
[project.optional-dependencies]
test = ["tester[fast]>=2", "mine[more]"]
more = ["more"]
source = ["from-source"]
"""
DISTRIBUTIONS = {
    "one_thing": ("1.5+cpu", "MIT", ["inner<9", "never; extra == 'never'"]),
    "inner": ("3", "Apache-2.0 OR BSD-2-Clause", ["one-thing"]),  # in a circle
    "tester": ("2.0", "MIT", ["speed; extra == 'fast'"]),
    "speed": ("0.1", "ISC", []),
    "more": ("1", "0BSD", ["nvidia-thing"]),
    "nvidia-thing": ("9", "LicenseRef-NVIDIA", []),
    "builder": ("4", "MIT", []),
    "stray": ("1", "Unheard-Of", []),  # what a developer has besides
}
PINS = {
    **{"one-thing": "1.5", "inner": "3", "tester": "2.0", "speed": "0.1", "more": "1", "builder": "4"},
    **{"elsewhere": "1", "from-source": "2", "editables": "1"},
}


def _install(folder: Path, name: str, version: str, *lines: str) -> None:
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "\n".join(["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *lines])
    )


@pytest.fixture
def environment(tmp_path: Path):
    for name, (version, expression, requires) in DISTRIBUTIONS.items():
        required = [f"Requires-Dist: {line}" for line in requires]
        _install(tmp_path, name, version, f"License-Expression: {expression}", *required)
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    return Project(tmp_path / "pyproject.toml"), read_installed([str(tmp_path)])


def test_what_is_needed_follows_extras_markers_and_circles(environment) -> None:
    project, installed = environment
    assert closure(project.requirements(), installed).keys() == {"one-thing", "inner"}
    tests = closure(project.requirements("test"), installed)
    assert tests.keys() == {"one-thing", "inner", "tester", "speed", "more", "nvidia-thing"}
    assert tests["tester"] == {"fast"}


def test_an_environment_as_pinned_has_no_fault(environment) -> None:
    """Not even for a package of a developer's own, a pin of another platform or CUDA's packages."""
    project, installed = environment
    assert faults(project, PINS, installed) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"inner": None}, "inner 3 is installed and not pinned, expected a line in constraints.txt"),
        ({"one-thing": "1.6"}, "one-thing 1.5 is installed, expected 1.6 as in constraints.txt"),
        ({"never": "1"}, "never is pinned in constraints.txt and nothing requires it, expected no such line"),
        ({"stray": "1"}, "stray is pinned in constraints.txt and nothing requires it, expected no such line"),
    ],
)
def test_a_pin_that_is_missing_wrong_or_idle_is_named(environment, change, expected) -> None:
    project, installed = environment
    pins = {name: version for name, version in {**PINS, **change}.items() if version is not None}
    assert faults(project, pins, installed) == [expected]


@pytest.mark.parametrize(
    ("lines", "unknown"),
    [
        (["License-Expression: MIT AND AGPL-3.0-only"], "AGPL-3.0-only"),
        (["License-Expression: GPL-3.0-or-later"], "GPL-3.0-or-later"),  # accepted of two packages only
        (["License: Do what you want, but ask"], "none"),
        ([], "none"),
        (["Classifier: License :: OSI Approved :: BSD License"], "none"),  # which of them is not said
    ],
)
def test_a_licence_that_nobody_has_read_is_named(environment, tmp_path, lines, unknown) -> None:
    project, _ = environment
    (tmp_path / "other").mkdir()
    _install(tmp_path / "other", "inner", "3", *lines)
    installed = read_installed([str(tmp_path / "other"), str(tmp_path)])
    (fault,) = faults(project, PINS, installed)
    assert fault.startswith("inner 3 has the licence ") and f"of which {unknown} is not accepted" in fault


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["License-Expression: MIT AND ISC", "License: nonsense"], "MIT AND ISC"),
        (
            ["License: Apache 2.0", "Classifier: License :: OSI Approved :: Apache Software License"],
            "Apache-2.0",
        ),
        (["License: BSD 3-Clause License"], "BSD-3-Clause"),
        (["License: Copyright (c) 2020, someone"], None),
    ],
)
def test_licences_are_read_from_what_metadata_say(tmp_path, lines, expected) -> None:
    _install(tmp_path, "thing", "1", *lines)
    assert licence("thing", read_installed([str(tmp_path)])["thing"]) == expected


def test_the_readme_names_what_is_not_permissive() -> None:
    """The GPL in a list, other licences with conditions below it; packages of tests are not passed on."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    listed, _, below = text.partition("\n## Licences\n")[2].partition("\n## ")[0].rpartition("\n\n")
    runtime = closure(Project(ROOT / "pyproject.toml").requirements(), read_installed())
    for name, kinds in SCRIPT["COPYLEFT"].items():
        gpl = any(kind.startswith("GPL") for kind in kinds)
        assert (f"`{name}`" in listed) == gpl, name
        assert (f"`{name}`" in below) == (not gpl and name in runtime), name


def test_the_script_prints_a_row_for_each_and_fails_for_a_fault(tmp_path) -> None:
    """On a copy of the checkout, in this environment: as it is pinned, and with a pin that is another's."""
    for name in ("pyproject.toml", "constraints.txt", "scripts/dependencies.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    installed, pins = read_installed(), tmp_path / "constraints.txt"

    def run() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(tmp_path / "scripts" / "dependencies.py")]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    rows = {line.split()[0]: line.split()[1] for line in run().stdout.splitlines()}
    assert rows["torch"] == installed["torch"].version and "pip" not in rows
    pins.write_text(pins.read_text().replace(f"zuko=={read_pins(pins)['zuko']}", "zuko==0.0.1"))
    result = run()
    assert result.returncode == 1
    assert f"error: zuko {installed['zuko'].version} is installed, expected 0.0.1" in result.stderr
