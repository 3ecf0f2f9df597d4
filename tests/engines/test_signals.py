import threading

import numpy as np
from numba import njit

from wavegen.engines.signals import COUNTER_STRIDE, read_counter, wait_for, write_counter


@njit(nogil=True)
def _take_turns(counters, numbers, thread, num_threads, rounds):
    """Every thread in its turn adds one to a number that none of them guards."""
    before = (thread - 1) % num_threads
    for turn in range(1, rounds + 1):
        wait_for(counters, before * COUNTER_STRIDE, turn if thread else turn - 1)
        numbers[0] = numbers[0] * 3 + thread
        write_counter(counters, thread * COUNTER_STRIDE, turn)


@njit
def _read(counters, thread):
    return read_counter(counters, thread * COUNTER_STRIDE)


@njit
def write_counter_from_python(counters, value):
    write_counter(counters, 0, value)


def test_more_threads_than_cores_take_turns_and_see_what_the_others_wrote():
    num_threads, rounds = 5, 300
    counters, numbers = np.zeros(num_threads * COUNTER_STRIDE, np.int64), np.ones(1, np.int64)
    _take_turns(counters, numbers, 0, 1, 0)
    threads = [
        threading.Thread(target=_take_turns, args=(counters, numbers, thread, num_threads, rounds))
        for thread in reversed(range(num_threads))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    expected = 1
    for _ in range(rounds):
        for thread in range(num_threads):
            expected = expected * 3 + thread
    # in 64 bits, as the threads counted
    assert numbers[0] == np.array([expected % 2**64], np.uint64).view(np.int64)[0]
    assert [_read(counters, thread) for thread in range(num_threads)] == [rounds] * num_threads


def test_a_waiting_thread_goes_on_when_the_counter_has_come_and_not_before():
    counters, passed = np.full(COUNTER_STRIDE, 7, np.int64), []

    def wait_for_all():
        for value in (-3, 7, 9):
            wait_for(counters, 0, value)
            passed.append(value)

    thread = threading.Thread(target=wait_for_all, daemon=True)
    thread.start()
    thread.join(0.2)
    assert passed == [-3, 7] and thread.is_alive()
    write_counter_from_python(counters, 9)
    thread.join(60)
    assert passed == [-3, 7, 9]
