"""The process in which espeak-ng speaks, seen from outside: started at first use, replaced when it dies."""

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

_TIMEOUT_S = 120.0  # an hour of speech, the longest there is, takes 4 s on a calm machine


class EspeakDied(Exception):
    """espeak-ng died, or ran without end, over a request; the message says how."""


class EspeakProcess:
    """Sends requests to a child that runs ``child.py``, one after the other.

    The child starts with the first request. It ends with this process, however that ends: at its exit, or
    when the pipe to it closes. A process that was forked starts a child of its own.

    Args:
        timeout_s: wall-clock time for one request.
    """

    def __init__(self, timeout_s: float = _TIMEOUT_S):
        self.timeout_s = timeout_s
        self._child: subprocess.Popen | None = None
        self._lock = threading.Lock()
        atexit.register(self.close)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def ask(self, **request: object) -> tuple[dict, bytes]:
        """The child's reply, its line and its samples: see :mod:`wavegen.linguistics.frontends.espeak.child`.

        Raises:
            EspeakDied: over this request, in a child that had answered none before.
        """
        line = json.dumps(request).encode() + b"\n"
        with self._lock:
            if self._child is not None:
                # An earlier text may have damaged the child's memory: to blame is what a new one dies of too.
                with suppress(EspeakDied):
                    return self._exchange(self._child, line)
            self._child = self._start()
            return self._exchange(self._child, line)

    def close(self) -> None:
        """Ends the child; the next request starts another."""
        with self._lock:
            self._end()

    def _start(self) -> subprocess.Popen:
        # By its path and without site-packages (-I -S): nothing is imported that it does not need.
        return subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", espeak_child.__file__),
                *(espeakng_loader.get_library_path(), espeakng_loader.get_data_path()),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # "*** stack smashing detected ***" says less than EspeakDied
            bufsize=0,  # nothing buffered that a fork would write a second time
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
        except BaseException:  # Ctrl-C: half of a reply may be left in the pipe
            self._end()
            raise
        finally:
            timer.cancel()
        return reply, samples

    def _end(self) -> None:
        if self._child is not None:
            self._child.kill()  # it holds nothing that could be lost
            self._child.wait()
            for pipe in _pipes(self._child):
                pipe.close()
            self._child = None

    def _forget(self) -> None:
        """In a forked process: the child is the other's, the lock may be held by a thread that is there."""
        self._lock = threading.Lock()
        if self._child is not None:
            for pipe in _pipes(self._child):
                pipe.close()  # while stdin were open here, the child would not notice the other's end
            self._child.returncode = 0  # nothing to wait for
            self._child = None


def _pipes(child: subprocess.Popen) -> tuple[io.FileIO, io.FileIO]:
    """To the child and from it, not buffered."""
    return cast(io.FileIO, child.stdin), cast(io.FileIO, child.stdout)


def _send_and_receive(child: subprocess.Popen, line: bytes) -> tuple[dict, bytes]:
    """Raises EOFError or OSError where the child is gone."""
    to_child, from_child = _pipes(child)
    rest = memoryview(line)
    while rest:
        rest = rest[to_child.write(rest) :]
    # The reply is the only thing in the pipe: what a buffer reads ahead belongs to it.
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
