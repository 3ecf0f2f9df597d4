"""A test that kills its process is named, and all others run: with the options of scripts/test."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

SIGNAL, ABORT, EXIT = "os.kill(os.getpid(), 11)", "os.abort()", "os._exit(0)"
FILES = {
    "alone": [ABORT],
    "begins": [SIGNAL, "pass", "pass"],
    "ends": ["pass", "pass", ABORT],
    "often": ["pass", SIGNAL, "pass", ABORT, EXIT, "pass"],
    "fails": ["assert False", "pass"],
    **{f"well_{number}": ["pass"] * number for number in (1, 2, 3, 4)},
}
"""Bodies of tests, file by file."""


def write_tests(folder):
    """Every test that runs leaves its process's number behind, so that nothing is taken on trust."""
    for name, bodies in FILES.items():
        lines = ["import os", "from pathlib import Path", ""]
        for number, body in enumerate(bodies):
            mark = f"Path(__file__ + '.{number}').open('a').write(f'{{os.getpid()}} ')"
            lines += [f"def test_{number}():", f"    {mark}", f"    {body}", ""]
        (folder / f"test_{name}.py").write_text("\n".join(lines), encoding="utf-8")
    shutil.copy(TESTS / "file_scheduling.py", folder / "conftest.py")


def run(folder, *options):
    # Lines that GitHub and terminals would fold are not: names are to be found in them.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-q", f"@{TESTS / 'parallel.args'}", *options]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_a_process_that_dies_names_its_test_and_the_run_goes_on(tmp_path, processes):
    write_tests(tmp_path)
    result = run(tmp_path, f"--numprocesses={processes}")
    assert "INTERNALERROR" not in result.stdout + result.stderr
    assert result.returncode == 1
    deadly = [
        f"test_{name}.py::test_{number}"
        for name, bodies in FILES.items()
        for number, body in enumerate(bodies)
        if body in (SIGNAL, ABORT, EXIT)
    ]
    crashed = re.findall(r"^FAILED (\S+) - worker '\w+' crashed while running '(\S+)'", result.stdout, re.M)
    assert sorted(crashed) == sorted((name, name) for name in deadly)
    num_tests = sum(map(len, FILES.values()))
    assert f"{len(deadly) + 1} failed, {num_tests - len(deadly) - 1} passed" in result.stdout
    for name, bodies in FILES.items():
        pids = [(tmp_path / f"test_{name}.py.{number}").read_text().split() for number in range(len(bodies))]
        assert all(len(ran) == 1 for ran in pids), f"a test of {name} ran more than once"
        deaths = [number for number, body in enumerate(bodies[:-1]) if body in (SIGNAL, ABORT, EXIT)]
        assert len({pid for (pid,) in pids}) == 1 + len(deaths), f"{name} was not kept together"


@pytest.mark.slow
def test_without_deaths_every_process_is_used_and_none_is_replaced(tmp_path):
    write_tests(tmp_path)
    for name in ("alone", "begins", "ends", "often", "fails"):
        (tmp_path / f"test_{name}.py").unlink()
    result = run(tmp_path, "--numprocesses=2")
    assert result.returncode == 0 and "10 passed" in result.stdout and "crashed" not in result.stdout
    pids = {path.read_text().strip() for path in tmp_path.glob("test_*.py.*")}
    assert len(pids) == 2
