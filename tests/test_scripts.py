"""What scripts/setup says where something is missing, measure.py of a command; what scripts/test runs."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with nothing installed, and a folder of programs that holds no Python."""
    for name in ("pyproject.toml", "constraints.txt", "scripts/setup"):
        target = tmp_path / "check out" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("bash", "cat", "cut", "dirname", "env", "rm", "sha256sum"):
        (programs / name).symlink_to(shutil.which(name))
    return tmp_path / "check out"


def _setup(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(checkout / "scripts" / "setup"), *arguments],
        env={"PATH": str(checkout.parent / "programs")},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def _write_program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_setup_without_python(checkout: Path) -> None:
    result = _setup(checkout)
    assert result.returncode == 2
    assert result.stderr.startswith("error: no Python 3.11 or newer found: run `sudo apt install")
    assert not (checkout / ".venv").exists()


def test_setup_with_a_python_that_is_too_old(checkout: Path) -> None:
    _write_program(
        checkout.parent / "programs" / "python3", "exit 1  # whatever it is asked, its version too"
    )
    assert "error: no Python 3.11 or newer found" in _setup(checkout).stderr


def test_setup_without_the_venv_module(checkout: Path) -> None:
    code = f'case "$*" in *ensurepip*) exit 1;; *) exec "{sys.executable}" "$@";; esac'
    _write_program(checkout.parent / "programs" / "python3.11", code)
    result = _setup(checkout)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert result.returncode == 2
    assert f"cannot make environments: run `sudo apt install python{version}-venv`" in result.stderr
    assert not (checkout / ".venv").exists()


def test_setup_installs_once_and_again_when_a_pin_changes(checkout: Path) -> None:
    """With an interpreter in .venv that writes down what it is asked to do."""
    programs, log = checkout / ".venv" / "bin", checkout / "asked.txt"
    programs.mkdir(parents=True)
    _write_program(programs / "python", f'echo "$@" >>"{log}"')
    _write_program(programs / "wavegen", "exit 0")
    expected = [
        "-m pip --version",
        "-m pip install --disable-pip-version-check --constraint constraints.txt --editable .[test]",
        "-m wavegen.audio.torchaudio_import --repair",
    ]
    assert _setup(checkout, "test").returncode == 0
    assert log.read_text().splitlines() == expected
    for extra in (["test"], []):  # what has the extra has all else
        again = _setup(checkout, *extra)
        assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert log.read_text().splitlines() == expected
    with (checkout / "constraints.txt").open("a") as constraints:
        constraints.write("another==1.0\n")
    assert _setup(checkout, "test").returncode == 0
    assert log.read_text().splitlines() == expected * 2


def test_pins_hold_for_builds_whatever_the_pip(checkout: Path) -> None:
    """pip up to 25.2 hands PIP_CONSTRAINT on to builds, later ones PIP_BUILD_CONSTRAINT."""
    programs, log = checkout / ".venv" / "bin", checkout / "asked.txt"
    programs.mkdir(parents=True)
    seen = 'echo "$PIP_CONSTRAINT $PIP_BUILD_CONSTRAINT $PWD"'
    _write_program(programs / "python", f'case "$*" in *install*) {seen} >"{log}";; esac')
    _write_program(programs / "wavegen", "exit 0")
    assert _setup(checkout).returncode == 0
    assert log.read_text() == f"constraints.txt constraints.txt {checkout}\n"


def test_setup_without_extras_first_and_with_them_later(checkout: Path) -> None:
    programs, log = checkout / ".venv" / "bin", checkout / "asked.txt"
    programs.mkdir(parents=True)
    _write_program(programs / "python", f'case "$*" in *install*) echo "$@" >>"{log}";; esac')
    _write_program(programs / "wavegen", "exit 0")
    for extra in ([], [], ["test"], ["test"], []):
        assert _setup(checkout, *extra).returncode == 0
    installed = [line.rpartition(" ")[2] for line in log.read_text().splitlines()]
    assert installed == [".", ".[test]"]


def test_setup_that_failed_is_not_taken_for_done(checkout: Path) -> None:
    programs = checkout / ".venv" / "bin"
    programs.mkdir(parents=True)
    _write_program(programs / "python", 'case "$*" in *repair*) exit 2;; esac')
    _write_program(programs / "wavegen", "exit 0")
    assert _setup(checkout).returncode == 2
    assert not (checkout / ".venv" / ".wavegen-setup").exists()


def test_measure_hands_on_the_status_and_sees_all_processes() -> None:
    hold = "data = bytearray(b'x' * 150_000_000); import time; time.sleep(1.5)"
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {hold!r}]); {hold}; sys.exit(3)"
    command = [
        sys.executable,
        str(ROOT / "scripts" / "measure.py"),
        "two of them",
        sys.executable,
        "-c",
        code,
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 3, result.stderr
    assert result.stdout.startswith("two of them: 0 min ")
    peak_gib = float(result.stdout.split("peak memory ")[1].split()[0])
    assert 0.27 < peak_gib < 0.6


@pytest.fixture
def tests_checkout(tmp_path: Path) -> Path:
    """A checkout whose interpreter writes down what it is asked to do and as which CPU, and does nothing."""
    scripts, programs = tmp_path / "scripts", tmp_path / ".venv" / "bin"
    scripts.mkdir()
    programs.mkdir(parents=True)
    for name in ("test", "as-avx2", "as-sse2"):
        shutil.copy(ROOT / "scripts" / name, scripts / name)
    _write_program(scripts / "setup", "exit 0")
    _write_program(programs / "ruff", "exit 0")
    _write_program(programs / "mypy", "exit ${TYPES:-0}")
    _write_program(programs / "python", 'echo "${NUMBA_CPU_NAME:-own} $@" >>asked.txt; exit ${STATUS:-0}')
    return tmp_path


def _test(checkout: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(checkout / "scripts" / "test"), *arguments],
        env={name: value for name, value in os.environ.items() if not name.startswith("NUMBA")} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_all_tests_run_in_processes_that_may_die_and_the_engines_as_on_lesser_cpus(tests_checkout) -> None:
    result = _test(tests_checkout)
    assert result.returncode == 0 and result.stdout.endswith("all passed\n")
    first, *lines = (tests_checkout / "asked.txt").read_text().splitlines()
    assert first == "own scripts/dependencies.py"
    asked = [line.split() for line in lines]
    cpus = ["own", "own"]
    for name, cpu in (("AVX2", "haswell"), ("SSE2", "x86-64")):
        if f"engines as on {name}: skipped, because this machine cannot imitate it" not in result.stdout:
            assert f"== engines as on {name}\n" in result.stdout
            cpus.append(cpu)
    assert [words[0] for words in asked] == cpus
    for words in asked:
        assert words[1:5] == ["-m", "pytest", "-q", "@tests/parallel.args"]
        assert ("tests/engines" in words) == (words[0] != "own")
        assert all((ROOT / word).exists() for word in words if word.startswith("tests/"))


def test_arguments_select_tests_and_leave_the_lesser_cpus_out(tests_checkout) -> None:
    result = _test(tests_checkout, "tests/flows", "-x", STATUS="5")
    assert result.returncode == 0
    asked = (tests_checkout / "asked.txt").read_text().splitlines()[1:]
    assert len(asked) == 2 and all(line.endswith(" tests/flows -x") for line in asked)
    assert "engines as on AVX2: skipped, because arguments select tests" in result.stdout


def test_a_step_that_fails_is_named_in_the_end(tests_checkout) -> None:
    result = _test(tests_checkout, STATUS="5")  # nothing to run, which nobody asked for
    assert result.returncode == 1
    failed = [f"failed: {name}" for name in ("dependencies", "fast tests", "slow tests")]
    assert result.stderr.splitlines()[:3] == failed
    result = _test(tests_checkout, TYPES="1")
    assert (result.returncode, result.stderr.splitlines()) == (1, ["failed: types"])


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_measure_hands_signals_on_and_waits(signum: signal.Signals) -> None:
    """A command that saves what it has must not be left behind, nor its last words be lost."""
    code = (
        "import signal, sys, time; signal.signal(int(sys.argv[1]), lambda *_: sys.exit('saved'));"
        "print('ready', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "scripts/measure.py", "name", sys.executable, "-c", code, str(signum.value)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signum, signal.SIG_DFL),  # the tests may run under nohup
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signum)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, "saved\n")
    assert out.startswith("name: 0 min ")
