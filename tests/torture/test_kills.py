"""Commands that are stopped at random moments, again and again, leave what one does that never was.

``WAVEGEN_TORTURE_KILLS=20 pytest -m torture tests/torture/test_kills.py`` is the long form: that many times
for each command and filesystem. The short form is slow.
"""

import os
import random
import runpy
import shutil
import signal
import time
from pathlib import Path

import pytest

helpers = runpy.run_path(str(Path(__file__).with_name("commands.py")))
Command, results, words_of = (helpers[name] for name in ("Command", "results", "words_of"))
KILLS = int(os.environ.get("WAVEGEN_TORTURE_KILLS", 5))
MEMORY = Path("/dev/shm")
GENTLE = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGHUP: 129}
COMMANDS = ["prepare", "prepare, sharded", "flow", "teacher", "distill"]
LONG = [
    pytest.param(command, place, signals, KILLS, marks=pytest.mark.torture)
    for command in COMMANDS
    for place in ("temporary", "memory")
    for signals in ([signal.SIGKILL], list(GENTLE))
]
SHORT = [pytest.param("prepare, sharded", "temporary", [signal.SIGKILL], 2, marks=pytest.mark.slow)]


@pytest.fixture
def folder(tmp_path, place):
    """A folder on the filesystem of temporary files, or on one in memory."""
    if place == "temporary":
        yield tmp_path
        return
    if not MEMORY.is_dir() or os.stat(MEMORY).st_dev == os.stat(tmp_path).st_dev:
        pytest.skip("there is no other filesystem here")
    folder = MEMORY / f"wavegen-{os.getpid()}-{tmp_path.name}"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def expected(folder):
    """``expected(command)``: results and duration in seconds of the command that is never stopped."""

    def run(command):
        whole = folder / "whole"
        whole.mkdir()
        start = time.monotonic()
        status, said = Command(words_of(command, whole)).ends()
        assert status == 0, said
        return results(whole), time.monotonic() - start

    return run


def stop_often(command, folder, signals, duration_s, number):
    """Stops the command ``number`` times, and then lets it end; returns how often it was still running."""
    rng, folder = random.Random(number), folder / "stopped"
    folder.mkdir()
    stopped = 0
    for _ in range(number):
        running, signum = Command(words_of(command, folder)), rng.choice(signals)
        was_running = running.send(signum, rng.uniform(0.0, duration_s))
        status, said = running.ends()
        assert running.left_over() == [], said
        if was_running and signum != signal.SIGKILL:
            # A signal before the interpreter has read its program ends it by the system's hand.
            assert status in (GENTLE[signum], -signum, 0), said
            assert "Traceback" not in said or status == -signum, said
        elif not was_running:
            assert status == 0, said
        stopped += was_running
    status, said = Command(words_of(command, folder)).ends()
    assert status == 0, said
    return stopped


@pytest.mark.parametrize("command, place, signals, number", LONG + SHORT)
def test_a_command_that_is_stopped_ends_as_one_that_is_not(
    command, place, number, signals, folder, expected, capsys
):
    whole, duration_s = expected(command)
    stopped = stop_often(command, folder, signals, duration_s, number)
    found = results(folder / "stopped")
    assert found.keys() == whole.keys()
    differing = [name for name in whole if whole[name] != found[name]]
    # The corpus names the file of its sentences, which is another one here.
    assert differing in ([], ["corpus/settings.json"], ["corpus/corpus.json", "corpus/settings.json"])
    with capsys.disabled():
        how = ", ".join(signum.name for signum in signals)
        print(
            f"\n{command}, {place}, {how}: stopped {stopped} times of {number}, the same {len(whole)} files"
        )
