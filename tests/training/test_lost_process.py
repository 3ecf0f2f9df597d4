"""A process of a distributed training that dies: what the others say."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from wavegen.errors import UserError
from wavegen.training.lost_process import LostProcess


def trainer(*codes, rank=0):
    """One whose other processes run these lines of Python."""
    processes = [subprocess.Popen([sys.executable, "-c", code]) for code in codes]
    launcher = SimpleNamespace(procs=processes)
    strategy = SimpleNamespace(launcher=launcher)
    return SimpleNamespace(world_size=1 + len(codes), global_rank=rank, strategy=strategy), [*processes]


LIVES, KILLED = "import time; time.sleep(600)", "import os; os.kill(os.getpid(), 9)"
LOST = RuntimeError("Connection closed by peer")


@pytest.mark.parametrize(
    ("code", "how"),
    [
        (KILLED, "process 2 of 3 was killed by SIGKILL: "),
        (
            "import sys; sys.exit(2)",
            r"process 2 of 3 ended with status 2 \(its message is above\): ",
        ),
    ],
)
def test_the_first_process_names_it_and_ends_the_others(tmp_path, code, how):
    of_three, processes = trainer(LIVES, code)
    processes[1].wait()
    with pytest.raises(UserError, match=f"^{how}the teacher has no readable last.ckpt yet; the same command"):
        LostProcess(tmp_path / "last.ckpt", "teacher").on_exception(of_three, None, LOST)
    assert processes[0].wait(60) == -9 and of_three.strategy.launcher.procs == []


def test_it_waits_for_an_end_that_cannot_be_seen_yet(tmp_path):
    of_two, _ = trainer("import time; time.sleep(0.3); " + KILLED)
    with pytest.raises(UserError, match="process 1 of 2 was killed by SIGKILL"):
        LostProcess(tmp_path / "last.ckpt", "teacher").on_exception(of_two, None, LOST)


def test_the_others_end_in_silence(tmp_path, capfd):
    with pytest.raises(SystemExit):
        LostProcess(tmp_path / "last.ckpt", "teacher").on_exception(trainer(LIVES, rank=1)[0], None, LOST)
    assert capfd.readouterr() == ("", "")


def test_other_failures_are_left_alone(tmp_path):
    callback = LostProcess(tmp_path / "last.ckpt", "teacher")
    of_two, processes = trainer(LIVES)
    callback.on_exception(of_two, None, UserError("the loss is NaN"))
    callback.on_exception(of_two, None, LOST)  # nobody has died
    assert processes[0].poll() is None
    processes[0].kill()
    processes[0].wait()
    callback.on_exception(SimpleNamespace(world_size=1), None, LOST)
