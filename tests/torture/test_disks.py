"""Commands on a disk that is full, or read-only: one sentence, and nothing half-written."""

import runpy
import subprocess
from pathlib import Path

import pytest

import wavegen

helpers = runpy.run_path(str(Path(__file__).with_name("commands.py")))
Command, words_of = helpers["Command"], helpers["words_of"]
VOICE = Path(wavegen.__file__).parent / "voices" / "ljspeech"
COMMANDS = ["prepare", "flow", "teacher", "distill", "synthesize"]
SIZES = ["8k", "64k", "256k"]
LONG = [(command, size) for command in COMMANDS for size in SIZES if size != "8k" or command != "synthesize"]
SHORT = [("prepare", "64k"), ("synthesize", "64k")]


@pytest.fixture
def make_disk(tmp_path):
    """``make_disk(options)``: a filesystem of its own; only root may make one."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def make(options):
        try:
            command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("this user may not mount a filesystem")
        return folder

    yield make
    subprocess.run(["umount", "--lazy", str(folder)], check=False, capture_output=True)


def words(command, inputs, disk):
    """The words of a command that reads ``inputs`` and writes to ``disk``."""
    if command == "synthesize":
        text = "This sentence is much too long for so small a disk, since it has many words."
        return ["synthesize", f"checkpoint={VOICE}", f"text={text}", f"output={disk / 'a.wav'}"]
    own = words_of(command, inputs)
    return [
        word.replace(f"={inputs / 'run'}", f"={disk / 'run'}").replace(
            f"={inputs / 'corpus'}", f"={disk / 'corpus'}"
        )
        for word in own
    ]


def refused(command, inputs, disk):
    """The command ends with one sentence that names the disk; returns that sentence."""
    running = Command(words(command, inputs, disk))
    status, said = running.ends()
    assert status == 2 and "Traceback" not in said, said
    assert running.left_over() == []
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and str(disk) in errors[0], said
    return errors[0]


def files(disk):
    return {path for path in disk.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "command, size",
    [pytest.param(*case, marks=pytest.mark.torture) for case in LONG]
    + [pytest.param(*case, marks=pytest.mark.slow) for case in SHORT],
)
def test_a_full_disk(make_disk, tmp_path, command, size):
    disk = make_disk(f"size={size}")
    assert "No space left on device" in (error := refused(command, tmp_path, disk)) or "full" in error
    assert not [path for path in files(disk) if path.suffix in (".tmp", ".partial") or path.name == "a.wav"]
    subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
    status, said = Command(words(command, tmp_path, disk)).ends()
    assert status == 0, said


@pytest.mark.parametrize(
    "command",
    [pytest.param(command, marks=pytest.mark.torture) for command in COMMANDS]
    + [pytest.param("synthesize", marks=pytest.mark.slow)],
)
def test_a_disk_that_nothing_may_be_written_to(make_disk, tmp_path, command):
    disk = make_disk("size=1m,ro")
    assert "Read-only file system" in refused(command, tmp_path, disk)
