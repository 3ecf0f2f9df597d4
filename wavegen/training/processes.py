"""The processes of a distributed training: their number, and the end of all but the first."""

import sys

import torch
from lightning.pytorch.utilities import rank_zero_only


def num_processes() -> int:
    """Processes that train together; 1 before and after a distributed training."""
    distributed = torch.distributed
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def end_other_processes() -> None:
    """End every process but the first of a distributed run; in a run of one process, do nothing.

    A launcher starts the whole recipe once per process, and all processes train together. After the last
    training, one process evaluates and writes the report.
    """
    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]  # Lightning sets it
        sys.exit(0)
