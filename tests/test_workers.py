import os

import pytest
import torch

from wavegen.workers import available_cores, map_in_processes


def describe(item):
    if item < 0:
        raise ValueError(f"item {item}")
    return item**2, os.getpid(), torch.get_num_threads()


@pytest.mark.parametrize("num_jobs", [1, 2])
def test_results_come_with_their_items_in_order(num_jobs):
    items = list(range(10))
    pairs = list(
        map_in_processes(describe, items, num_jobs=num_jobs, title="squares", unit="item", chunksize=2)
    )
    assert [item for item, _ in pairs] == items
    assert [square for _, (square, _, _) in pairs] == [item**2 for item in items]
    processes = {process for _, (_, process, _) in pairs}
    assert (processes == {os.getpid()}) == (num_jobs == 1)
    assert num_jobs == 1 or all(threads == 1 for _, (_, _, threads) in pairs)


@pytest.mark.parametrize("num_jobs", [1, 2])
def test_what_goes_wrong_in_a_worker_is_raised_here(num_jobs):
    with pytest.raises(ValueError, match="item -1"):
        list(map_in_processes(describe, [0, -1, 2], num_jobs=num_jobs, title="squares", unit="item"))


def test_no_items():
    assert list(map_in_processes(describe, [], num_jobs=1, title="squares", unit="item")) == []


def test_cores_are_those_allowed():
    assert 1 <= available_cores() <= os.cpu_count()
