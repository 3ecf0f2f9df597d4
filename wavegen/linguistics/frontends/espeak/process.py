"""Client of the espeak-ng process: starts it at first use, and restarts it when it dies."""

import atexit
import io
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import cast

import espeakng_loader

from wavegen.linguistics.frontends.espeak import child as espeak_child

_TIMEOUT_S = 120.0  # an hour of speech, the maximum, takes 4 s on an idle machine


class EspeakDied(Exception):
    """espeak-ng died or timed out during a request; the message says how."""


class EspeakProcess:
    """Sends requests one by one to a child process that runs ``child.py``.

    The first request starts the child. The child ends when this process ends, by the exit handler or because
    its pipe closes. A forked process starts its own child.

    Args:
        timeout_s: wall-clock time for one request.
    """

    def __init__(self, timeout_s: float = _TIMEOUT_S):
        self.timeout_s = timeout_s
        self._child: subprocess.Popen | None = None
        self._lock = threading.Lock()
        atexit.register(self.close)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset_after_fork)

    def ask(self, **request: object) -> tuple[dict, bytes]:
        """The child's reply, its line and its samples: see :mod:`wavegen.linguistics.frontends.espeak.child`.

        Raises:
            EspeakDied: if a freshly started child dies during this request.
        """
        line = json.dumps(request).encode() + b"\n"
        with self._lock:
            if self._child is not None:
                # An earlier text may have damaged the child's memory, so only a new child's death counts.
                with suppress(EspeakDied):
                    return self._exchange(self._child, line)
            self._child = self._start()
            return self._exchange(self._child, line)

    def close(self) -> None:
        """Ends the child; the next request starts another one."""
        with self._lock:
            self._end()

    def _start(self) -> subprocess.Popen:
        # Run by its path and without site-packages (-I -S), so that nothing unnecessary is imported.
        return subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", espeak_child.__file__),
                *(espeakng_loader.get_library_path(), espeakng_loader.get_data_path()),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # "*** stack smashing detected ***" adds nothing to EspeakDied
            bufsize=0,  # no buffer that a fork could write a second time
        )

    def _exchange(self, child: subprocess.Popen, line: bytes) -> tuple[dict, bytes]:
        timed_out = threading.Event()

        def stop() -> None:
            timed_out.set()
            child.kill()

        timer = threading.Timer(self.timeout_s, stop)
        timer.daemon = True
        timer.start()
        try:
            reply, samples = _send_and_receive(child, line)
        except (EOFError, OSError) as error:
            self._end()
            status = f"it took more than {self.timeout_s:g} s" if timed_out.is_set() else _ending(child)
            raise EspeakDied(status) from error
        except BaseException:  # Ctrl-C: part of a reply may remain in the pipe
            self._end()
            raise
        finally:
            timer.cancel()
        return reply, samples

    def _end(self) -> None:
        if self._child is not None:
            self._child.kill()  # it has no data to lose
            self._child.wait()
            for pipe in _pipes(self._child):
                pipe.close()
            self._child = None

    def _reset_after_fork(self) -> None:
        """In a forked process: the child belongs to the parent, and one of its threads may hold the lock."""
        self._lock = threading.Lock()
        if self._child is not None:
            for pipe in _pipes(self._child):
                pipe.close()  # otherwise the child would not notice that the parent closes its end
            self._child.returncode = 0  # nothing to wait for
            self._child = None


def _pipes(child: subprocess.Popen) -> tuple[io.FileIO, io.FileIO]:
    """The unbuffered pipes to the child and from it."""
    return cast(io.FileIO, child.stdin), cast(io.FileIO, child.stdout)


def _send_and_receive(child: subprocess.Popen, line: bytes) -> tuple[dict, bytes]:
    """Raises EOFError or OSError if the child has died."""
    to_child, from_child = _pipes(child)
    rest = memoryview(line)
    while rest:
        rest = rest[to_child.write(rest) :]
    # The pipe contains only this reply, so a buffer cannot read too far.
    replies = io.BufferedReader(from_child)
    try:
        header = replies.readline()
        if not header.endswith(b"\n"):
            raise EOFError
        reply = json.loads(header)
        num_bytes = reply.get("num_bytes", 0)
        samples = replies.read(num_bytes)
        if len(samples) < num_bytes:
            raise EOFError
    finally:
        replies.detach()
    return reply, samples


def _ending(child: subprocess.Popen) -> str:
    if child.returncode >= 0:
        return f"its process ended with status {child.returncode}"
    try:
        return f"its process was ended by {signal.Signals(-child.returncode).name}"
    except ValueError:  # a signal without a name
        return f"its process was ended by signal {-child.returncode}"
