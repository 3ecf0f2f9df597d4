"""Signals that end a process: who takes them, and what stays ignored."""

import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from wavegen.interruption import (
    SIGNALS,
    Interrupted,
    handling,
    interruptible,
    raise_if_interrupted,
    raise_interrupted,
    say,
)


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


def test_a_handler_holds_within_the_block_and_no_longer(heeded_signals):
    before = {signum: signal.getsignal(signum) for signum in SIGNALS}
    seen = []
    with handling(lambda signum, frame: seen.append(signum)) as handled:
        for signum in SIGNALS:
            signal.raise_signal(signum)
    assert handled == SIGNALS and seen == list(SIGNALS)
    assert {signum: signal.getsignal(signum) for signum in SIGNALS} == before


def test_handlers_come_back_after_a_failure(heeded_signals):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted) as raised, handling(raise_interrupted):
        signal.raise_signal(signal.SIGTERM)
    assert (raised.value.signum, raised.value.kept) == (signal.SIGTERM, "")
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_is_ignored_stays_ignored(heeded_signals):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with handling(raise_interrupted) as handled:
        assert handled == (signal.SIGINT, signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_other_threads_handle_nothing(heeded_signals):
    handled = []

    def run():
        with handling(raise_interrupted) as those:
            handled.append(those)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert handled == [()]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("signum", SIGNALS)
def test_a_signal_that_is_lost_is_raised_again(heeded_signals, signum):
    """As in a finaliser, whose exceptions Python drops, or where a library catches everything."""

    class Careless:
        def __del__(self):
            signal.raise_signal(signum)

    with pytest.raises(Interrupted) as raised, interruptible():
        raise_if_interrupted()
        Careless()
        raise_if_interrupted()
    assert raised.value.signum == signum
    with interruptible():
        raise_if_interrupted()  # it is over with its command


def test_an_interruption_passes_what_is_made_for_failures():
    assert not issubclass(Interrupted, Exception)


def test_last_words_stand_on_their_own_line_of_standard_error(capfd):
    say("kept the last checkpoint")
    assert capfd.readouterr() == ("", "\nkept the last checkpoint\n")
