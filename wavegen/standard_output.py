"""Standard output as the place of a recipe's product: bytes for the next program, and nothing else."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import BinaryIO

from wavegen.errors import UserError

CLOSED_PIPE_STATUS = 141
"""The exit status of a program whose reader has gone: 128 + SIGPIPE, as shells count."""


def is_standard_output(path: str) -> bool:
    """Whether ``path`` means standard output: ``-``, or a name of where it goes, such as ``/dev/stdout``."""
    if path == "-":
        return True
    with suppress(OSError):
        return os.path.samestat(os.stat(path), os.fstat(1))
    return False


def check_output(path: str) -> None:
    """
    Raises:
        UserError: where ``path`` means standard output, and that is closed or a terminal.
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
    """Prints the message: to standard output, or to standard error where ``path`` means standard output."""
    print(message, file=sys.stderr if is_standard_output(path) else sys.stdout)


@contextmanager
def standard_output() -> Iterator[BinaryIO]:
    """Standard output, to write bytes to; what is printed as long as this lasts goes to standard error.

    A write that finds no reader any more (``| head``) ends the process quietly.

    Raises:
        UserError: for any other OSError (no room).
        SystemExit: with ``CLOSED_PIPE_STATUS``, where the reader has gone.
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
