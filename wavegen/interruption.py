"""Signals that ask a process to end: Ctrl-C, batch systems' SIGTERM, a closed terminal's SIGHUP."""

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal has asked this process to end, with the status 128 + its number.

    Like ``KeyboardInterrupt`` it is no ``Exception``: what is made for failures lets it pass.

    Args:
        signum: the signal's number.
        kept: a clause on what was saved, for the last words; empty where there is nothing to tell.
    """

    def __init__(self, signum: int, kept: str = "") -> None:
        super().__init__(signum, kept)
        self.signum, self.kept = signum, kept


@contextmanager
def handling(
    handler: Callable[[int, FrameType | None], None], signals: Iterable[int] = SIGNALS
) -> Iterator[tuple[int, ...]]:
    """The handler in force while the block runs, and which signals it handles.

    What is ignored stays ignored, so that ``nohup`` holds. Outside of the main thread nothing is handled,
    because Python only lets that one do so.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        found = {signum: signal.getsignal(signum) for signum in signals}
        before = {signum: there for signum, there in found.items() if there not in (signal.SIG_IGN, None)}
    try:
        for signum in before:
            signal.signal(signum, handler)
        yield tuple(before)
    finally:
        for signum, there in before.items():
            signal.signal(signum, there)


def raise_interrupted(signum: int, frame: FrameType | None) -> None:
    """A handler that ends what runs at once."""
    raise Interrupted(signum)


def leave_signals_to_main(*_: object) -> None:
    """In a worker process: whoever signals all processes means the main one, which ends its workers itself.

    Were they to die of it, the main process would take that for a failure. Once it is gone they heed signals.
    The arguments are ignored.
    """
    main = os.getppid()

    def heed_if_alone(signum: int, frame: FrameType | None) -> None:
        if os.getppid() != main:
            os._exit(128 + signum)

    for signum in SIGNALS:
        signal.signal(signum, heed_if_alone)


def say(line: str) -> None:
    """A line on standard error that a handler may write in the midst of another one."""
    os.write(2, f"\n{line}\n".encode())
