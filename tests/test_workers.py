import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import psutil
import pytest
import torch

from wavegen.errors import UserError
from wavegen.interruption import Interrupted, handling, interruptible, raise_interrupted
from wavegen.workers import available_cores, map_in_processes


def describe(item):
    if item < 0:
        raise ValueError(f"item {item}")
    return item**2, os.getpid(), torch.get_num_threads()


@pytest.mark.parametrize("num_jobs", [1, 2])
def test_results_come_with_their_items_in_order(num_jobs):
    items = list(range(10))
    pairs = list(map_in_processes(describe, items, num_jobs=num_jobs, title="squares", unit="item"))
    assert [item for item, _ in pairs] == items
    assert [square for _, (square, _, _) in pairs] == [item**2 for item in items]
    processes = {process for _, (_, process, _) in pairs}
    assert (processes == {os.getpid()}) == (num_jobs == 1)
    assert num_jobs == 1 or all(threads == 1 for _, (_, _, threads) in pairs)


@pytest.mark.parametrize("num_jobs", [1, 2])
def test_what_goes_wrong_in_a_worker_is_raised_here(num_jobs):
    with pytest.raises(ValueError, match="item -1"):
        list(map_in_processes(describe, [0, -1, 2], num_jobs=num_jobs, title="squares", unit="item"))


def dawdle(path):
    path.write_text("at it")
    time.sleep(3600)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_all_processes_ends_them_at_once_and_quietly(tmp_path, heeded_signals, capfd, signum):
    paths = [tmp_path / "a", tmp_path / "b"]

    def end_when_all_are_at_it():
        while not all(path.exists() for path in paths):
            time.sleep(0.01)
        for worker in multiprocessing.active_children():
            os.kill(worker.pid, signum)
        os.kill(os.getpid(), signum)

    ender = threading.Thread(target=end_when_all_are_at_it)
    ender.start()
    with pytest.raises(Interrupted), handling(raise_interrupted):
        list(map_in_processes(dawdle, paths, num_jobs=2, title="dawdling", unit="item"))
    ender.join()
    assert multiprocessing.active_children() == []
    assert "Traceback" not in capfd.readouterr().err


def swallow_a_signal(number):
    with contextlib.suppress(BaseException):
        signal.raise_signal(signal.SIGINT)
    return number


def test_a_signal_that_a_library_swallows_ends_the_work_after_the_item(heeded_signals):
    done = []
    with pytest.raises(Interrupted), interruptible():
        for item, _ in map_in_processes(swallow_a_signal, [1, 2, 3], num_jobs=1, title="work", unit="item"):
            done.append(item)
    assert done == [1]


def test_no_items():
    assert list(map_in_processes(describe, [], num_jobs=1, title="squares", unit="item")) == []


def test_cores_are_those_allowed():
    assert 1 <= available_cores() <= os.cpu_count()


def die_of_three(item: int, folder: Path) -> int:
    (folder / f"{item}-{time.monotonic_ns()}").touch()
    if item == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return item**2


def die_once(item: int, folder: Path) -> int:
    if item == 3 and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGSEGV)
    return item**2


def check_the_first(item: int, folder: Path) -> bool:
    if item == 0:
        time.sleep(0.5)
        (folder / "done").touch()
    return (folder / "done").exists()


def test_an_item_that_kills_costs_itself_alone(tmp_path):
    pairs = map_in_processes(
        partial(die_of_three, folder=tmp_path),
        list(range(8)),
        num_jobs=2,
        title="squares",
        unit="item",
        if_it_dies=lambda item: f"{item} died",
    )
    assert list(pairs) == [(i, "3 died" if i == 3 else i**2) for i in range(8)]
    tried = [path.name.split("-")[0] for path in tmp_path.iterdir()]
    assert sorted(tried) == sorted([*"01234567", "3"])  # twice, since it may have been in want of memory


def test_an_item_that_kills_is_named_where_nothing_stands_for_it(tmp_path):
    function = partial(die_of_three, folder=tmp_path)
    with pytest.raises(UserError, match="two processes died while they worked on 3: they were killed"):
        list(map_in_processes(function, list(range(8)), num_jobs=2, title="squares", unit="item"))


def test_who_was_killed_once_is_tried_again(tmp_path):
    function = partial(die_once, folder=tmp_path)
    pairs = map_in_processes(function, list(range(6)), num_jobs=2, title="squares", unit="item")
    assert list(pairs) == [(i, i**2) for i in range(6)]


def test_the_first_is_done_before_the_others_begin(tmp_path):
    function = partial(check_the_first, folder=tmp_path)
    options = {"num_jobs": 3, "title": "checks", "unit": "item", "first_alone": True}
    assert all(done for _, done in map_in_processes(function, list(range(6)), **options))


def test_processes_that_cannot_start_are_not_tried_for_ever(tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("import os; os._exit(3)")
    monkeypatch.syspath_prepend(tmp_path)  # of the new processes too
    with pytest.raises(UserError, match="a worker process died at its start"):
        list(map_in_processes(abs, [1, 2, 3], num_jobs=2, title="x", unit="item", if_it_dies=abs))


def test_workers_end_with_a_main_process_that_was_killed():
    code = """if True:
        import os, signal
        from wavegen.workers import map_in_processes
        if __name__ == "__main__":
            for item, _ in map_in_processes(abs, range(100_000), num_jobs=2, title="x", unit="item"):
                if item == 10:
                    import psutil
                    print(*[child.pid for child in psutil.Process().children()], flush=True)
                    os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    workers = [int(pid) for pid in killed.stdout.split()]
    assert killed.returncode == -signal.SIGKILL and len(workers) >= 2
    for _ in range(600):
        if all(has_ended(pid) for pid in workers):
            return
        time.sleep(0.05)
    raise AssertionError(f"some of {workers} go on")


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or dead and not yet waited for by whoever inherited it."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
