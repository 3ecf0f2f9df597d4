"""A bit that flips in a voice's weights is noticed; sums have the format of sha256sum."""

import hashlib
import os
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from wavegen.errors import UserError
from wavegen.runs.checksums import LARGEST_BYTES, SUMS, check_sum, write_sums
from wavegen.runs.voice import load_voice

small_voice = runpy.run_path(str(Path(__file__).with_name("small_voice.py")))
assert_refused = small_voice["assert_refused"]


@pytest.fixture
def voice(run):
    """The run with the sums of its weights."""
    content = (run / "teacher.safetensors").read_bytes()
    write_sums(run, {"teacher.safetensors": hashlib.sha256(content).hexdigest()})
    return run


def _flip_last_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-4] ^= 1  # the lowest bit of the last float32's mantissa
    path.write_bytes(content)


def test_a_flipped_mantissa_bit_is_refused_and_nothing_else_notices_it(voice):
    before = load_voice(voice).teacher.state_dict()
    path = voice / "teacher.safetensors"
    _flip_last_bit(path)
    got = hashlib.sha256(path.read_bytes()).hexdigest()
    assert_refused(voice, path, "is damaged or was replaced", got, voice / SUMS)
    (voice / SUMS).unlink()
    after = load_voice(voice).teacher.state_dict()
    assert [key for key in before if not torch.equal(before[key], after[key])]


@pytest.mark.parametrize("size", [0, 20, -1])
def test_truncated_weights_are_refused(voice, size):
    path = voice / "teacher.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    assert_refused(voice, path, "is damaged or was replaced")


def test_a_run_without_sums_and_a_file_without_a_line_are_accepted(run):
    path = run / "teacher.safetensors"
    check_sum(path)
    write_sums(run, {"student.safetensors": "0" * 64})
    check_sum(path)
    assert load_voice(run).teacher is not None


def test_sha256sum_reads_what_is_written_and_the_other_way_round(voice):
    if shutil.which("sha256sum") is None:
        pytest.skip("sha256sum is not installed")
    command = ["sha256sum", "--check", "--strict", SUMS]
    assert subprocess.run(command, cwd=voice, capture_output=True, check=False).returncode == 0
    for options in ([], ["--binary"]):
        made = subprocess.run(
            ["sha256sum", *options, "teacher.safetensors"], cwd=voice, capture_output=True, check=True
        )
        (voice / SUMS).write_bytes(made.stdout)
        assert load_voice(voice).teacher is not None
    _flip_last_bit(voice / "teacher.safetensors")
    assert subprocess.run(command, cwd=voice, capture_output=True, check=False).returncode == 1
    assert_refused(voice, "is damaged or was replaced")


def test_a_second_line_that_says_otherwise_is_refused(voice):
    with (voice / SUMS).open("a") as file:
        file.write("0" * 64 + "  teacher.safetensors\n")
    assert_refused(voice, voice / "teacher.safetensors", "is damaged or was replaced")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xff", "cannot be read"),
        (
            b"0123  teacher.safetensors\n",
            "line 1: expected a SHA-256 sum and a file name, got '0123  ",
        ),
        (b"0" * 64 + b"  a\n\n", "line 2: expected a SHA-256 sum and a file name, got ''"),
        (b"F" * 64 + b"  teacher.safetensors\n", "line 1"),
        (b"x" * (LARGEST_BYTES + 1), f"larger than {LARGEST_BYTES} bytes"),
    ],
)
def test_damaged_sums_are_named(voice, content, expected):
    (voice / SUMS).write_bytes(content)
    assert_refused(voice, voice / SUMS, expected)


def test_sums_that_are_a_folder_and_weights_that_are_none_are_named(voice):
    with pytest.raises(UserError, match=r"student\.safetensors cannot be read \(No such file"):
        write_sums(voice, {"student.safetensors": "0" * 64})
        check_sum(voice / "student.safetensors")
    (voice / SUMS).unlink()
    (voice / SUMS).mkdir()
    assert_refused(voice, voice / SUMS, "cannot be read")


def test_names_in_the_sums_are_never_opened(voice, tmp_path_factory):
    """A line that names a file elsewhere, whose reading would block forever, has no effect."""
    pipe = tmp_path_factory.mktemp("elsewhere") / "pipe"
    os.mkfifo(pipe)
    with (voice / SUMS).open("a") as file:
        file.write("0" * 64 + f"  {pipe}\n" + "0" * 64 + "  ../../etc/passwd\n")
    assert load_voice(voice).teacher is not None
