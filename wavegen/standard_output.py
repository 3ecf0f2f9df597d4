"""Writes a recipe's product to standard output: only bytes for the next program."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import BinaryIO

from wavegen.errors import UserError

CLOSED_PIPE_STATUS = 141
"""The exit status of a program whose reader has closed the pipe: 128 + SIGPIPE, as in shells."""


def is_standard_output(path: str) -> bool:
    """Whether ``path`` means standard output: ``-``, or a path of the same file, such as ``/dev/stdout``."""
    if path == "-":
        return True
    with suppress(OSError):
        return os.path.samestat(os.stat(path), os.fstat(1))
    return False


def check_output(path: str) -> None:
    """
    Raises:
        UserError: if ``path`` means standard output, and standard output is closed or a terminal.
    """
    if not is_standard_output(path):
        return
    if sys.__stdout__ is None:
        raise UserError(f"output={path}: standard output is closed, expected a pipe or a file")
    if os.isatty(1):
        raise UserError(
            f"output={path}: standard output is a terminal, expected a pipe or a file: add `| aplay` or "
            f"`> out.wav`"
        )


def say_beside(path: str, message: str) -> None:
    """Print the message to standard output, or to standard error if ``path`` means standard output."""
    print(message, file=sys.stderr if is_standard_output(path) else sys.stdout)


@contextmanager
def standard_output() -> Iterator[BinaryIO]:
    """Standard output as a binary file; inside the block, ``print`` writes to standard error.

    If the reader has closed the pipe (``| head``), the process ends without a message.

    Raises:
        UserError: for any other OSError (disk full).
        SystemExit: with ``CLOSED_PIPE_STATUS``, if the reader has closed the pipe.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        with redirect_stdout(sys.stderr), open(kept, "wb", closefd=False) as file:
            yield file
    except BrokenPipeError:
        raise SystemExit(CLOSED_PIPE_STATUS) from None
    except OSError as error:
        raise UserError(f"cannot write to standard output: {error.strerror or error}") from error
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
