"""Checks the pins: all that wavegen needs is installed as pinned, no pin is idle, every licence is known.

    .venv/bin/python scripts/dependencies.py    # name, version and licence of each; status 1 for a fault

Needs no network. ``scripts/test`` runs it after the installation.
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent

# Pins that no package asks for by name, and why they are kept.
OF_BUILDS = {"editables": "hatchling makes editable installations with it, in an environment of the build"}
# What torch's CUDA wheel of PyPI brings with it. Tested were CPU builds, so their versions are torch's own.
CUDA = re.compile(r"(nvidia|cuda)-.*|triton")

# Read from licence files, where the metadata name none or a family only.
READ_LICENCES = {
    "antlr4-python3-runtime": "BSD-3-Clause",
    "cycler": "BSD-3-Clause",
    "contourpy": "BSD-3-Clause",
    "espeakng-loader": "GPL-3.0-or-later",  # of the espeak-ng library in it; the wheel itself names none
    "jinja2": "BSD-3-Clause",
    "kiwisolver": "BSD-3-Clause",
    "matplotlib": "PSF-2.0",  # the same terms with matplotlib's name
    "mpmath": "BSD-3-Clause",
    "numba": "BSD-2-Clause",
    "omegaconf": "BSD-3-Clause",
    "pocketsphinx": "BSD-2-Clause AND BSD-3-Clause",
    "protobuf": "BSD-3-Clause",
    "pyro-api": "Apache-2.0",
    "scipy": "BSD-3-Clause",
    "soundfile": "BSD-3-Clause AND LGPL-2.1-or-later",  # its wheel holds libsndfile
    "sympy": "BSD-3-Clause",
    "torchaudio": "BSD-2-Clause",
}
CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
PERMISSIVE = set(
    "0BSD Apache-2.0 BSD-2-Clause BSD-3-Clause BSL-1.0 CC0-1.0 ISC LLVM-exception MIT MIT-0 MIT-CMU PSF-2.0 "
    "Zlib".split()
)
# Packages that ask something of those who pass them on. GPL: README, Licences.
COPYLEFT = {
    "espeakng-loader": {"GPL-3.0-or-later"},
    "praat-parselmouth": {"GPL-3.0-or-later"},
    "soundfile": {"LGPL-2.1-or-later"},
    "soxr": {"LGPL-2.1-or-later"},
    "certifi": {"MPL-2.0"},
    "hypothesis": {"MPL-2.0"},
    "pathspec": {"MPL-2.0"},
    "tqdm": {"MPL-2.0"},
}


def read_pins(path: Path) -> dict[str, str]:
    """Canonical name → version of a file with lines ``name==version``."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def read_installed(path: list[str] | None = None) -> dict[str, Distribution]:
    """Canonical name → distribution in the folders of ``path``, the first counts; None means ``sys.path``."""
    found: dict[str, Distribution] = {}
    for distribution in distributions() if path is None else distributions(path=path):
        found.setdefault(canonicalize_name(distribution.name), distribution)
    return found


def _applies(requirement: Requirement, extras: Iterable[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in (*extras, ""))


class Project:
    """What pyproject.toml asks for."""

    def __init__(self, path: Path) -> None:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        self.name: str = content["project"]["name"]
        self.extras: dict[str, list[str]] = content["project"]["optional-dependencies"]
        self.runtime: list[str] = content["project"]["dependencies"]
        self.build: list[str] = content["build-system"]["requires"]

    def requirements(self, *extras: str) -> list[Requirement]:
        """Of the package with some extras; an extra may name others, as ``wavegen[pyro]``."""
        found = [Requirement(line) for line in self.runtime]
        for requirement in (Requirement(line) for extra in extras for line in self.extras[extra]):
            own = requirement.name == self.name
            found += self.requirements(*requirement.extras) if own else [requirement]
        return found


def closure(
    requirements: Iterable[Requirement], installed: Mapping[str, Distribution]
) -> dict[str, frozenset[str]]:
    """Canonical name → extras, of everything installed that the requirements lead to on this machine."""
    found: dict[str, frozenset[str]] = {}
    waiting = [each for each in requirements if _applies(each, ())]
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if name not in installed or (name in found and extras <= found[name]):
            continue
        found[name] = found.get(name, frozenset()) | extras
        inner = [Requirement(line) for line in installed[name].requires or []]
        waiting += [each for each in inner if _applies(each, found[name])]
    return found


def licence(name: str, distribution: Distribution) -> str | None:
    """The SPDX expression of a distribution's licence; None if it is not known."""
    metadata = distribution.metadata
    if expression := metadata.get("License-Expression"):
        return expression
    if name in READ_LICENCES:
        return READ_LICENCES[name]
    classifiers = [line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier", [])]
    named = {CLASSIFIERS[each] for each in classifiers if each in CLASSIFIERS}
    text = (metadata.get("License") or "").strip()
    aliases = {"Apache 2.0": "Apache-2.0", "BSD 3-Clause License": "BSD-3-Clause"}
    if not named and re.fullmatch(r"[\w.() -]+", text):
        named = {aliases.get(text, text)}
    return named.pop() if len(named) == 1 else None


def faults(project: Project, pins: Mapping[str, str], installed: Mapping[str, Distribution]) -> list[str]:
    """One sentence for everything that is wrong."""
    needed = closure(project.requirements("test"), installed)
    found = []
    for name in sorted(needed):
        if CUDA.fullmatch(name):
            continue
        version = Version(installed[name].version).public  # 2.13.0+cpu is 2.13.0
        if name not in pins:
            found.append(f"{name} {version} is installed and not pinned, expected a line in constraints.txt")
        elif version != pins[name]:
            found.append(f"{name} {version} is installed, expected {pins[name]} as in constraints.txt")
        expression = licence(name, installed[name])
        parts = set(re.findall(r"[\w.+-]+", expression or "")) - {"AND", "OR", "WITH"}
        if unknown := sorted(parts - PERMISSIVE - COPYLEFT.get(name, set())) or (not parts and ["none"]):
            found.append(
                f"{name} {version} has the licence {expression!r}, of which {', '.join(unknown)} is not "
                "accepted: read it, and add it to scripts/dependencies.py"
            )
    every = [*project.requirements(*project.extras), *(Requirement(line) for line in project.build)]
    # Whatever the platform: a pin may be for another one.
    mentioned = {canonicalize_name(each.name) for each in every}
    for name, extras in closure(every, installed).items():
        for each in (Requirement(line) for line in installed[name].requires or []):
            if "extra" not in str(each.marker) or _applies(each, extras):
                mentioned.add(canonicalize_name(each.name))
    for name in sorted(pins.keys() - mentioned - OF_BUILDS.keys()):
        found.append(f"{name} is pinned in constraints.txt and nothing requires it, expected no such line")
    return found


def main() -> int:
    project, installed = Project(ROOT / "pyproject.toml"), read_installed()
    runtime = closure(project.requirements(), installed)
    for name in sorted(closure(project.requirements("test"), installed)):
        kind = "" if name in runtime else "tests only"
        row = f"{name:26} {installed[name].version:18} {licence(name, installed[name]) or 'unknown'}"
        print(f"{row:70} {kind}".rstrip())
    wrong = faults(project, read_pins(ROOT / "constraints.txt"), installed)
    for sentence in wrong:
        print(f"error: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
