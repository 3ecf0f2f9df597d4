"""Every public module has a test module at the mirrored place, and every mirrored test module its module."""

from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
PACKAGE = TESTS.parent / "wavegen"

OF_SEVERAL = {
    "engines/test_machine_code.py": "the machine code of all kernels",
    "flows/test_agreement_with_zuko.py": "many bijections against an independent library",
    "flows/test_every_bijection.py": "the contract of bijections, over all of them",
    "flows/test_flow_as_vae.py": "flows as priors, posteriors and decoders",
    "models/test_every_flow.py": "what is asked of every named flow, over all of them",
    "models/test_image_flows.py": "what is particular to image flows, over all of them",
    "nets/test_image_conditioners.py": "what the image conditioners have in common",
    "training/test_ddp.py": "trainings in several processes, by the command line",
    "voices/test_every_voice.py": "the voices that the package carries, which are folders of data",
}
"""Test modules of more than one module, and what they test."""


def modules():
    """Paths of the public modules below ``wavegen/``."""
    found = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")}
    return {path for path in found if not Path(path).name.startswith("__")}


def mirrored_tests():
    """Paths of the test modules that lie where a package of ``wavegen/`` has its own."""
    found = {path.relative_to(TESTS) for path in TESTS.rglob("test_*.py")}
    return {path.as_posix() for path in found if len(path.parts) > 1 and (PACKAGE / path.parts[0]).is_dir()}


def mirror_of(module):
    path = Path(module)
    return (path.parent / f"test_{path.name}").as_posix()


def test_every_module_has_a_test_module():
    missing = sorted(mirror_of(module) for module in modules() if not (TESTS / mirror_of(module)).is_file())
    assert not missing, "; ".join(f"tests/{file} is missing" for file in missing)


def test_every_mirrored_test_module_belongs_to_a_module():
    strays = mirrored_tests() - {mirror_of(module) for module in modules()}
    wrong = [
        f"tests/{file} has no module: move its tests to the module that they test, or add it to OF_SEVERAL"
        for file in sorted(strays - OF_SEVERAL.keys())
    ]
    wrong += [
        f"tests/{file} is no exception: take it off OF_SEVERAL" for file in sorted(OF_SEVERAL.keys() - strays)
    ]
    assert not wrong, "; ".join(wrong)


def test_what_is_missing_or_astray_is_named(monkeypatch):
    monkeypatch.setitem(globals(), "modules", lambda: {"objectives/bad.py"})
    with pytest.raises(AssertionError, match="tests/objectives/test_bad.py is missing"):
        test_every_module_has_a_test_module()
    with pytest.raises(AssertionError, match="tests/objectives/test_power.py has no module: move its tests"):
        test_every_mirrored_test_module_belongs_to_a_module()
    monkeypatch.setitem(OF_SEVERAL, "flows/test_no_more.py", "nothing")
    with pytest.raises(AssertionError, match="tests/flows/test_no_more.py is no exception"):
        test_every_mirrored_test_module_belongs_to_a_module()
