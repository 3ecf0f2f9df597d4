"""Maps a function over items in several processes, with a progress bar."""

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context, parent_process
from typing import Generic, TypeVar

from tqdm import tqdm

from wavegen.errors import UserError
from wavegen.interruption import Interrupted, leave_signals_to_main, raise_if_interrupted
from wavegen.runtime import prepare_process, quiet_libraries

Item = TypeVar("Item")
Result = TypeVar("Result")


def available_cores() -> int:
    """Cores that this process may use: a container or ``taskset`` may allow fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_in_processes(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    num_jobs: int,
    title: str,
    unit: str,
    if_it_dies: Callable[[Item], Result] | None = None,
    first_alone: bool = False,
) -> Iterator[tuple[Item, Result]]:
    """Pairs of item and result, in the order of the items, as they become available; no workers for one job.

    Each worker uses one thread of torch. Workers are spawned, not forked, because a fork of a process with
    threads may inherit a lock that is never released; so ``function`` and items are pickled. A signal that
    ends the main process kills workers within an item, so ``function`` must write its files atomically.

    Args:
        function: its exceptions are raised here.
        items: each is given to the next free process.
        num_jobs: number of processes.
        title, unit: of the progress bar.
        if_it_dies: makes the result of an item for which two processes have died (killed for lack of memory,
            or crashed). The other items are not affected.
        first_alone: finish the first item before any other starts. Code that is compiled at first use is then
            compiled and cached by one process only.

    Raises:
        UserError: if two processes died for the same item and ``if_it_dies`` is None; if a process dies at
            its start.
    """
    bar = {"total": len(items), "desc": title, "unit": unit, "disable": None}
    if num_jobs <= 1:
        for item in tqdm(items, **bar):
            yield item, function(item)
            raise_if_interrupted()
        return
    others = set(active_children())
    workers = _Workers(function, items, num_jobs, if_it_dies, first_alone)
    try:
        yield from tqdm(workers.results(), **bar)
    except (KeyboardInterrupt, Interrupted):
        for worker in set(active_children()) - others:
            worker.kill()  # an item may take minutes, but a batch system waits only seconds
        raise
    finally:
        workers.shut_down()


class _Workers(Generic[Item, Result]):
    """Pools of one process each, so that it is known for which item a process died."""

    def __init__(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        num_jobs: int,
        if_it_dies: Callable[[Item], Result] | None,
        first_alone: bool,
    ):
        self.function, self.items = function, items
        self.if_it_dies, self.first_alone = if_it_dies, first_alone
        self.pools = [_Pool() for _ in range(min(num_jobs, len(items)))]
        self.running: dict[Future, tuple[_Pool, int]] = {}
        self.next = 0
        self.deaths: Counter[int] = Counter()
        self.done: dict[int, Result] = {}

    def results(self) -> Iterator[tuple[Item, Result]]:
        idle = list(self.pools)
        for number, item in enumerate(self.items):
            while number not in self.done:
                while idle and self.next < len(self.items) and not self._waits_for_the_first():
                    self._give(idle.pop(), self.next)
                    self.next += 1
                idle += self._collect()
            yield item, self.done.pop(number)
            raise_if_interrupted()

    def shut_down(self) -> None:
        for pool in self.pools:
            pool.shut_down()

    def _waits_for_the_first(self) -> bool:
        return self.first_alone and any(number == 0 for _, number in self.running.values())

    def _give(self, pool: "_Pool", number: int) -> None:
        self.running[pool.submit(self.function, self.items[number])] = pool, number

    def _collect(self) -> list["_Pool"]:
        """Wait until an item is done; returns the pools that are free."""
        free = []
        for future in wait(self.running, return_when=FIRST_COMPLETED).done:
            pool, number = self.running.pop(future)
            try:
                self.done[number] = future.result()
            except BrokenProcessPool as error:
                pool.renew()
                self.deaths[number] += 1
                if self.deaths[number] == 1:  # for lack of memory the system kills any process: try again
                    self._give(pool, number)
                    continue
                self.done[number] = self._without(self.items[number], error)
            free.append(pool)
        return free

    def _without(self, item: Item, error: BrokenProcessPool) -> Result:
        if self.if_it_dies is None:
            raise UserError(
                f"two processes died while they worked on {repr(item)[:200]}: they were killed, perhaps for "
                f"lack of memory, or crashed"
            ) from error
        return self.if_it_dies(item)


class _Pool:
    """One process, which is replaced when it dies."""

    def __init__(self) -> None:
        self._start()

    def submit(self, function: Callable[[Item], Result], item: Item) -> Future:
        try:
            return self._executor.submit(function, item)
        except BrokenProcessPool:  # it was killed while it was idle
            self.renew()
            return self._executor.submit(function, item)

    def renew(self) -> None:
        """Start a new process; raises UserError if the last one died at its start, as the next one would."""
        if self._begun.exception() is not None:
            raise UserError(
                "a worker process died at its start: there may be too little memory for so many processes"
            )
        self.shut_down()
        self._start()

    def shut_down(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _start(self) -> None:
        self._executor = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_begin)
        self._begun = self._executor.submit(os.getpid)  # starts the process now, in parallel with others


def _begin() -> None:
    threading.Thread(target=_end_with_the_main_process, daemon=True).start()
    import torch

    leave_signals_to_main()
    prepare_process()
    quiet_libraries()
    torch.set_num_threads(1)


def _end_with_the_main_process() -> None:
    """End this worker when the main process has been killed; otherwise it would wait for work forever."""
    main = parent_process()
    assert main is not None  # this runs in workers only
    main.join()
    os._exit(1)
