"""Several processes of one training: who writes, and who goes on when the training is over."""

import sys

from lightning.pytorch.utilities import rank_zero_only


def end_other_processes() -> None:
    """End every process but the first of a distributed run; a run of one process goes on.

    A launcher starts the whole recipe once per process, and they train together. What comes after the last
    training, measuring and reporting, is one process's work.
    """
    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]  # Lightning sets it
        sys.exit(0)
