"""Every public module has a test module at the mirrored place, and every mirrored test module its module."""

from pathlib import Path

TESTS = Path(__file__).resolve().parent
PACKAGE = TESTS.parent / "wavegen"

MISSING = set(
    """
    benchmark/figure.py
    benchmark/sections.py
    benchmark/speakers.py
    cli/composition.py
    evaluation/plane.py
    metrics/registry.py
    report/corner_plot.py
    report/image_grids.py
    report/page.py
    report/plane_figures.py
    report/plots.py
    report/speech_figures.py
    """.split()
)
"""Modules that still lack their tests. A module that gets them leaves the list; none joins it."""

OF_SEVERAL = {
    "engines/test_machine_code.py": "the machine code of all kernels",
    "flows/test_agreement_with_zuko.py": "many bijections against an independent library",
    "flows/test_every_bijection.py": "the contract of bijections, over all of them",
    "flows/test_flow_as_vae.py": "flows as priors, posteriors and decoders",
    "models/test_every_flow.py": "what is asked of every named flow, over all of them",
    "models/test_image_flows.py": "what is particular to image flows, over all of them",
    "nets/test_image_conditioners.py": "what the image conditioners have in common",
    "training/test_ddp.py": "trainings in several processes, by the command line",
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
    missing = {module for module in modules() if not (TESTS / mirror_of(module)).is_file()}
    assert missing - MISSING == set(), "modules without a test module at the mirrored place"
    assert MISSING - missing == set(), "modules that have one by now, or are gone: take them off the list"


def test_every_mirrored_test_module_belongs_to_a_module():
    expected = {mirror_of(module) for module in modules()}
    strays = mirrored_tests() - expected
    assert strays - OF_SEVERAL.keys() == set(), "test modules of no module: move their tests, or say what of"
    assert OF_SEVERAL.keys() - strays == set(), "exceptions that are none: take them off the list"
