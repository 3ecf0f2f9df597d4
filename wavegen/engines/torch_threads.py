"""Keeping torch's own threads out of the engines' way."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Torch computes on the calling thread alone, as long as this lasts.

    What an engine asks of torch, a window's conditioning, is small. Torch's helpers would be woken for it and
    then wait for more, spinning for milliseconds on cores that the engine's threads need: with two cores a
    student lost a quarter of its speed.
    """
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
