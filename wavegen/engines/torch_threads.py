"""What of torch an engine sets while it computes: one thread, no gradients, no autocast."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Torch uses only the calling thread inside the block.

    Torch computes only the conditioning of a window, which is little work. Its worker threads would start for
    it and then spin for milliseconds on cores that the engine's threads need: with two cores, a student lost
    a quarter of its speed.
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


@contextmanager
def plain_arithmetic() -> Iterator[None]:
    """No gradients, no autocast, one torch thread: precision and threads are the engine's own."""
    with torch.inference_mode(), torch.autocast("cpu", enabled=False), one_torch_thread():
        yield
