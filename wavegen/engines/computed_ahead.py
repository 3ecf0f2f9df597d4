"""Computes what an engine needs next while it works on what it has."""

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from wavegen.runtime import prepare_process

Value = TypeVar("Value")


def computed_ahead(
    compute: Callable[[int], Value], count: int, *, in_thread: bool
) -> Generator[Value, None, None]:
    """``compute(0), …, compute(count − 1)``.

    Args:
        compute: called in this order, once each.
        count: of the values.
        in_thread: compute the next value in a thread of its own while the caller uses the one it got; else
            each when it is asked for. Closing the iterator ends the thread.
    """
    if not in_thread:
        yield from map(compute, range(count))
        return
    with ThreadPoolExecutor(1, "wavegen-ahead", initializer=prepare_process) as thread:
        coming = thread.submit(compute, 0)
        for index in range(1, count + 1):
            value = coming.result()
            if index < count:
                coming = thread.submit(compute, index)
            yield value
