"""Handles the signals that end a process: Ctrl-C, SIGTERM of batch systems, SIGHUP of a closed terminal."""

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Raised when a signal ends this process, with exit status 128 + the signal's number.

    Like ``KeyboardInterrupt`` it is not an ``Exception``, so that error handlers do not catch it.

    Args:
        signum: the signal's number.
        kept: a clause about what was saved, for the last message; empty for none.
    """

    def __init__(self, signum: int, kept: str = "") -> None:
        super().__init__(signum, kept)
        self.signum, self.kept = signum, kept


@contextmanager
def handling(
    handler: Callable[[int, FrameType | None], None], signals: Iterable[int] = SIGNALS
) -> Iterator[tuple[int, ...]]:
    """Install the handler for the block; gives the signals that it handles.

    Ignored signals stay ignored, so that ``nohup`` works. Only the main thread can handle signals in Python;
    in another thread nothing is changed.
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
    """A handler that raises ``Interrupted`` at once."""
    raise Interrupted(signum)


_received: list[int] = []  # signals of the command in progress


@contextmanager
def interruptible() -> Iterator[None]:
    """Inside the block, signals raise ``Interrupted`` at once, and :func:`raise_if_interrupted` again.

    Once is not enough: Python drops an exception that a handler raises within a finaliser or a callback, and
    libraries catch everything around their imports.
    """

    def note_and_raise(signum: int, frame: FrameType | None) -> None:
        _received.append(signum)
        raise Interrupted(signum)

    try:
        with handling(note_and_raise):
            yield
    finally:
        _received.clear()


def raise_if_interrupted() -> None:
    """Raises ``Interrupted`` if a signal has come, and was lost; to be called between pieces of long work."""
    if _received:
        raise Interrupted(_received[-1])


def leave_signals_to_main(*_: object) -> None:
    """In a worker process, ignore signals as long as the main process runs, which ends its workers itself.

    If a worker ended on a signal to all processes, the main process would report a failure. The arguments are
    ignored.
    """
    main = os.getppid()

    def heed_if_alone(signum: int, frame: FrameType | None) -> None:
        if os.getppid() != main:
            os._exit(128 + signum)

    for signum in SIGNALS:
        signal.signal(signum, heed_if_alone)


def say(line: str) -> None:
    """Write a line to standard error; safe in a signal handler that interrupts another write."""
    os.write(2, f"\n{line}\n".encode())
