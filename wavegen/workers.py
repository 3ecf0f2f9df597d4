"""One function over many items, in several processes, under a progress bar."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import active_children, get_context
from typing import TypeVar

from tqdm import tqdm

from wavegen.interruption import Interrupted, leave_signals_to_main
from wavegen.runtime import prepare_process, quiet_libraries

Item, Result = TypeVar("Item"), TypeVar("Result")


def available_cores() -> int:
    """Cores that this process may use: a container or ``taskset`` may allow fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_in_processes(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    num_jobs: int,
    title: str,
    unit: str,
    chunksize: int = 1,
) -> Iterator[tuple[Item, Result]]:
    """Pairs of item and result, in the order of the items, as they are done; in this process for one job.

    Workers run one thread of torch each. They are spawned, not forked: a fork of a process whose libraries
    run threads may inherit a lock that is never released; so ``function`` and items are pickled. A signal
    that ends the main process ends them in the midst of their items, so ``function`` writes its files whole.
    """
    bar = {"total": len(items), "desc": title, "unit": unit, "disable": None}
    if num_jobs <= 1:
        yield from tqdm(((item, function(item)) for item in items), **bar)
        return
    others = set(active_children())
    pool = ProcessPoolExecutor(num_jobs, mp_context=get_context("spawn"), initializer=_begin)
    try:
        results = pool.map(function, items, chunksize=chunksize)
        yield from tqdm(zip(items, results, strict=True), **bar)
    except (KeyboardInterrupt, Interrupted):
        for worker in set(active_children()) - others:
            worker.kill()  # an item may take minutes, and a batch system waits for seconds
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    import torch

    leave_signals_to_main()
    prepare_process()
    quiet_libraries()
    torch.set_num_threads(1)
