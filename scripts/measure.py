"""Runs a command and prints its duration and the peak memory of all its processes.

Usage: python scripts/measure.py NAME COMMAND [ARGUMENT ...]

Memory is the proportional set size (pages that several processes share are counted once), summed over the
process tree twice per second. This script exits with the command's status. It forwards SIGTERM and SIGHUP to
the command, so that the command can save its state, and ends after it.
"""

import signal
import subprocess
import sys
import time

import psutil

INTERVAL_S = 0.5


def tree_memory_bytes(root: psutil.Process) -> int:
    total = 0
    for process in [root, *root.children(recursive=True)]:
        try:
            total += process.memory_full_info().pss
        except psutil.Error:  # it ended in the meantime
            continue
    return total


def main() -> int:
    name, *command = sys.argv[1:]
    started, peak_bytes = time.monotonic(), 0
    process = subprocess.Popen(command)
    for signum in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(signum) != signal.SIG_IGN:  # ignored under nohup
            signal.signal(signum, lambda number, _: process.send_signal(number))
    while True:
        try:
            status = process.wait(INTERVAL_S)
            break
        except subprocess.TimeoutExpired:
            try:
                peak_bytes = max(peak_bytes, tree_memory_bytes(psutil.Process(process.pid)))
            except psutil.NoSuchProcess:
                continue
        except KeyboardInterrupt:  # the command receives it too and saves its state
            continue
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    print(f"{name}: {minutes} min {seconds} s, peak memory {peak_bytes / 2**30:.2f} GiB", flush=True)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
