"""Ends all but the first process of a distributed training."""

import sys

from lightning.pytorch.utilities import rank_zero_only


def end_other_processes() -> None:
    """End every process but the first of a distributed run; in a run of one process, do nothing.

    A launcher starts the whole recipe once per process, and all processes train together. After the last
    training, one process evaluates and writes the report.
    """
    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]  # Lightning sets it
        sys.exit(0)
