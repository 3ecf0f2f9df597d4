"""Standard output as a product's place: what means it, who may read it, and that nothing else gets there."""

import errno
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from wavegen.errors import UserError
from wavegen.standard_output import is_standard_output, say_beside, standard_output

CHECK = """
import sys
from wavegen.errors import UserError
from wavegen.standard_output import check_output
try:
    check_output(sys.argv[1])
except UserError as error:
    print(error, file=sys.stderr)
"""


def check(path, **options):
    """What a process says of that output, whose standard output is of the options."""
    command = [sys.executable, "-c", CHECK, path]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=True, **options).stderr


def test_what_means_standard_output(tmp_path, capfd):
    (tmp_path / "link").symlink_to("/proc/self/fd/1")
    assert all(map(is_standard_output, ["-", "/proc/self/fd/1", str(tmp_path / "link")]))
    (tmp_path / "-").touch()
    assert not any(map(is_standard_output, [str(tmp_path / "-"), str(tmp_path / "none.wav"), "", "--"]))


@pytest.mark.parametrize("output", ["-", "/proc/self/fd/1"])
def test_a_terminal_is_refused_in_one_sentence(output):
    terminal, other = os.openpty()
    try:
        said = check(output, stdout=other)
        assert said.startswith(f"output={output}: standard output is a terminal, expected a pipe or a file")
        assert check("file.wav", stdout=other) == ""
    finally:
        os.close(terminal)
        os.close(other)


def test_pipes_and_files_are_taken(tmp_path):
    assert check("-", stdout=subprocess.PIPE) == ""
    with (tmp_path / "out").open("wb") as file:
        assert check("-", stdout=file) == ""


def test_a_closed_one_is_refused_in_one_sentence():
    shell = ["bash", "-c", '"$@" >&-', "bash", sys.executable, "-c", CHECK, "-"]
    result = subprocess.run(shell, stderr=subprocess.PIPE, text=True, check=True)
    assert result.stderr == "output=-: standard output is closed, expected a pipe or a file\n"


def test_only_what_is_written_to_it_gets_there(capfdbinary):
    print("before")
    with standard_output() as file:
        file.write(b"one ")
        print("by Python")
        os.write(1, b"by a library\n")
        file.write(b"two\n")
    print("after")
    captured = capfdbinary.readouterr()
    assert (captured.out, captured.err) == (b"before\none two\nafter\n", b"by Python\nby a library\n")


@contextmanager
def going_to(output):
    """Standard output is that open file as long as this lasts."""
    kept = os.dup(1)
    os.dup2(output, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(output)


def test_a_reader_that_has_gone_ends_the_process(capfd):
    reader, writer = os.pipe()
    os.close(reader)
    with going_to(writer), pytest.raises(SystemExit) as ended, standard_output() as file:
        file.write(b"content")
    assert ended.value.code == 128 + signal.SIGPIPE
    print("still there")
    assert capfd.readouterr().out == "still there\n"


def test_a_full_disk_is_said(capfd):
    no_room = os.strerror(errno.ENOSPC)
    with going_to(os.open("/dev/full", os.O_WRONLY)):
        with pytest.raises(UserError, match=f"cannot write to standard output: {no_room}"):
            with standard_output() as file:
                file.write(b"content")


def test_a_message_stands_beside_the_product(capfd, tmp_path):
    say_beside("-", "of the stream")
    say_beside(str(tmp_path / "a.wav"), "of the file")
    assert tuple(capfd.readouterr()) == ("of the file\n", "of the stream\n")
