"""Writes a software bill of materials of a release: CycloneDX in JSON.

    .venv/bin/python scripts/bom.py dist/wavegen.cdx.json

Lists what the wheel depends on, in the versions of this environment, with licences and who requires whom, and
the weights in the wheel with their SHA-256 sums. The same environment gives the same bytes: there is no time
in it, and the serial number is a hash of the content. cyclonedx-py reads the packages' metadata; it is
installed into an environment of its own, from the package index. Extras are not listed.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Collection, Iterable, Mapping
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

from dependencies import ROOT, Project, canonicalize_name, closure, faults, licence, read_installed, read_pins
from tool_environment import NotInstalled, install_tool

TOOL = "cyclonedx-bom==7.5.0"
SPECIFICATION = "1.6"  # of CycloneDX


def raw_bom(programs: Path, installed: Mapping[str, Distribution], names: Iterable[str], folder: Path) -> Any:
    """What cyclonedx-py says of the named distributions.

    It reads whole environments, so it gets one that has nothing but their metadata: no address of a local
    file and no package of the tests.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    for name in names:
        distribution = installed[name]
        target = packages / f"{name.replace('-', '_')}-{distribution.version}.dist-info"
        target.mkdir()
        (target / "METADATA").write_text(distribution.read_text("METADATA") or "", encoding="utf-8")
    result = subprocess.run(
        [
            *(str(programs / "cyclonedx-py"), "environment", "--output-reproducible", "--no-validate"),
            *("--spec-version", SPECIFICATION, "--pyproject", str(ROOT / "pyproject.toml")),
            str(folder / "bin" / "python"),
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(result.stdout)


def weights(voices: Path) -> list[dict[str, Any]]:
    """The components that are weights in the package, from the sums of each voice."""
    return [
        {
            "type": "machine-learning-model",
            "bom-ref": f"wavegen/voices/{sums.parent.name}/{name}",
            "name": f"wavegen/voices/{sums.parent.name}/{name}",
            "hashes": [{"alg": "SHA-256", "content": value}],
        }
        for sums in sorted(voices.glob("*/SHA256SUMS"))
        for value, name in (line.split("  ") for line in sums.read_text(encoding="utf-8").splitlines())
    ]


def completed(
    bom: Any, direct: Collection[str], licences: Mapping[str, str], models: list[dict[str, Any]]
) -> dict[str, Any]:
    """The bill with the licences that metadata do not declare, with weights and a serial number.

    Args:
        bom: of cyclonedx-py, which takes the extras' requirements for the package's own.
        direct: canonical names of what the package itself requires.
        licences: SPDX expressions by canonical name.
        models: components to add.
    """
    names = {each["bom-ref"]: canonicalize_name(each["name"]) for each in bom["components"]}
    for component in bom["components"]:
        expression = licences[names[component["bom-ref"]]]
        declared = [
            each.get("expression") or each["license"].get("id") for each in component.get("licenses", [])
        ]
        if declared != [expression]:
            component["licenses"] = [{"acknowledgement": "concluded", "expression": expression}]
    root = bom["metadata"]["component"]["bom-ref"]
    for each in bom["dependencies"]:
        if each["ref"] == root:
            each["dependsOn"] = [reference for reference in each["dependsOn"] if names[reference] in direct]
    bom = {**bom, "components": [*bom["components"], *models]}
    content = json.dumps(bom, sort_keys=True)
    return {**bom, "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, content)}"}


def validate(programs: Path, text: str) -> None:
    """Check the bill against the schema of CycloneDX; the schema's reader is in the tool's environment."""
    code = (
        "import sys; from cyclonedx.schema import SchemaVersion; from cyclonedx.validation.json import *;"
        f"sys.exit(JsonStrictValidator(SchemaVersion.from_version({SPECIFICATION!r}))"
        ".validate_str(sys.stdin.read()) and 'not valid')"
    )
    subprocess.run([str(programs / "python"), "-c", code], input=text, text=True, check=True)


def make_bom(programs: Path, folder: Path) -> str:
    """The text of the bill; ``folder`` is new and is used in between."""
    project, installed = Project(ROOT / "pyproject.toml"), read_installed()
    needed = closure(project.requirements(), installed)
    own = [project.name] if project.name in installed else []
    bom = raw_bom(programs, installed, [*needed, *own], folder)
    direct = {canonicalize_name(each.name) for each in project.requirements()}
    licences = {name: licence(name, installed[name]) or "NOASSERTION" for name in needed}
    complete = completed(bom, direct, licences, weights(ROOT / "wavegen" / "voices"))
    return json.dumps(complete, indent=1, sort_keys=True) + "\n"


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: scripts/bom.py FILE", file=sys.stderr)
        return 2
    installed, pins = read_installed(), read_pins(ROOT / "constraints.txt")
    if wrong := faults(Project(ROOT / "pyproject.toml"), pins, installed):
        print(f"error: the environment is not as it was tested: {wrong[0]}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        try:
            programs = install_tool(TOOL, Path(folder) / "tool")
        except NotInstalled as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        output = Path(arguments[0])
        output.parent.mkdir(parents=True, exist_ok=True)
        text = make_bom(programs, Path(folder) / "described")
        validate(programs, text)
        written = Path(folder) / "bom.json"
        written.write_text(text, encoding="utf-8")
        shutil.move(written, output)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
