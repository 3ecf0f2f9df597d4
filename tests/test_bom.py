"""The bill of materials lists what the wheel needs, as it is pinned, and is the same each time."""

import copy
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "scripts"
RAW = {
    "metadata": {"component": {"bom-ref": "root", "name": "mine"}},
    "components": [
        {"bom-ref": "A==1", "name": "A", "licenses": [{"license": {"id": "MIT"}}]},
        {"bom-ref": "b_c==2", "name": "b_c", "licenses": [{"license": {"name": "BSD License"}}]},
        {"bom-ref": "d==3", "name": "d"},
    ],
    "dependencies": [{"ref": "root", "dependsOn": ["A==1", "d==3"]}, {"ref": "A==1", "dependsOn": ["d==3"]}],
}
LICENCES = {"a": "MIT", "b-c": "BSD-2-Clause", "d": "GPL-3.0-or-later"}


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return runpy.run_path(str(SCRIPTS / "bom.py"))


def test_licences_that_are_not_declared_are_concluded(script):
    bom = script["completed"](copy.deepcopy(RAW), {"a"}, LICENCES, [])
    assert [each["licenses"] for each in bom["components"]] == [
        [{"license": {"id": "MIT"}}],
        [{"acknowledgement": "concluded", "expression": "BSD-2-Clause"}],
        [{"acknowledgement": "concluded", "expression": "GPL-3.0-or-later"}],
    ]


def test_the_package_depends_on_what_it_requires_itself(script):
    bom = script["completed"](copy.deepcopy(RAW), {"a"}, LICENCES, [])
    assert bom["dependencies"] == [
        {"ref": "root", "dependsOn": ["A==1"]},
        {"ref": "A==1", "dependsOn": ["d==3"]},
    ]


def test_the_serial_number_is_that_of_the_content(script):
    def serial(raw):
        return script["completed"](copy.deepcopy(raw), {"a"}, LICENCES, [])["serialNumber"]

    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", serial(RAW))
    assert serial(RAW) == serial(RAW)
    assert serial({**RAW, "components": RAW["components"][:2], "dependencies": []}) != serial(RAW)


def test_it_refuses_an_environment_that_is_not_as_pinned(tmp_path):
    (tmp_path / "scripts").mkdir()
    for path in SCRIPTS.glob("*.py"):
        (tmp_path / "scripts" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    pins = re.sub(r"(?m)^zuko==.*$", "zuko==0.0.1", (ROOT / "constraints.txt").read_text(encoding="utf-8"))
    (tmp_path / "constraints.txt").write_text(pins)

    def run(*arguments):
        command = [sys.executable, str(tmp_path / "scripts" / "bom.py"), *arguments]
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=clean)

    assert (run().returncode, run().stderr) == (2, "usage: scripts/bom.py FILE\n")
    result = run(str(tmp_path / "bom.json"))
    assert result.returncode == 1 and not (tmp_path / "bom.json").exists()
    assert result.stderr.startswith("error: the environment is not as it was tested: ")


@pytest.mark.slow
def test_the_bill_of_this_checkout(script, tmp_path):
    """cyclonedx-py itself. The schema is not checked here, which takes long; the script does it each time."""
    try:
        programs = script["install_tool"](script["TOOL"], tmp_path / "tool")
    except script["NotInstalled"] as error:
        pytest.skip(str(error))
    text, again = (script["make_bom"](programs, tmp_path / name) for name in ("one", "another place"))
    assert text == again
    assert "timestamp" not in text
    assert not any(str(place) in text for place in (tmp_path, ROOT, sys.prefix))
    bom = json.loads(text)
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    packages = [each for each in bom["components"] if each["type"] == "library"]
    pins, name_of = script["read_pins"](ROOT / "constraints.txt"), script["canonicalize_name"]
    for each in packages:
        version = Version(each["version"]).public
        if pins.get(name_of(each["name"])) != version:
            pytest.skip(f"this environment was not made with constraints.txt: {each['name']} {version}")
        assert len(each["licenses"]) == 1 and each["purl"].startswith("pkg:pypi/")
    names = {name_of(each["name"]) for each in packages}
    assert {"torch", "espeakng-loader", "sympy"} <= names  # sympy is torch's
    assert not {"pytest", "wavegen", "zuko", "pip"} & names
    wanted = {name_of(each.name) for each in script["Project"](ROOT / "pyproject.toml").requirements()}
    (direct,) = (each["dependsOn"] for each in bom["dependencies"] if each["ref"] == "root-component")
    assert {name_of(reference.partition("==")[0]) for reference in direct} == wanted & names
    models = {each["name"]: each["hashes"] for each in bom["components"] if each not in packages}
    weights = sorted((ROOT / "wavegen" / "voices").glob("*/*.safetensors"))
    assert sorted(models) == [path.relative_to(ROOT).as_posix() for path in weights]
    sums = (ROOT / "wavegen" / "voices" / "ljspeech" / "SHA256SUMS").read_text(encoding="utf-8")
    (found,) = models["wavegen/voices/ljspeech/teacher.safetensors"]
    assert f"{found['content']}  teacher.safetensors\n" in sums and found["alg"] == "SHA-256"
