import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest
import torch

from wavegen.interruption import Interrupted, handling, raise_interrupted
from wavegen.workers import available_cores, map_in_processes


def describe(item):
    if item < 0:
        raise ValueError(f"item {item}")
    return item**2, os.getpid(), torch.get_num_threads()


@pytest.mark.parametrize("num_jobs", [1, 2])
def test_results_come_with_their_items_in_order(num_jobs):
    items = list(range(10))
    pairs = list(
        map_in_processes(describe, items, num_jobs=num_jobs, title="squares", unit="item", chunksize=2)
    )
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


def test_a_worker_whose_main_process_is_gone_heeds_signals():
    code = (
        "import os, sys, time; from wavegen.interruption import leave_signals_to_main\n"
        "if os.fork(): time.sleep(3600)\n"
        "leave_signals_to_main(); print(os.getpid(), flush=True); time.sleep(3600)"
    )
    main = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    worker = psutil.Process(int(main.stdout.readline()))
    worker.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    assert worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE
    main.kill()
    main.wait()
    worker.send_signal(signal.SIGTERM)
    assert psutil.wait_procs([worker], timeout=60)[1] == []


def test_no_items():
    assert list(map_in_processes(describe, [], num_jobs=1, title="squares", unit="item")) == []


def test_cores_are_those_allowed():
    assert 1 <= available_cores() <= os.cpu_count()
