"""The compiled loop called as the engine calls it, against the student's own pass."""

import runpy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from wavegen.engines.parallel.kernel import Span, run_student
from wavegen.engines.signals import COUNTER_STRIDE

one_utterance = runpy.run_path(str(Path(__file__).with_name("one_utterance.py")))
small_student, begin = one_utterance["small_student"], one_utterance["begin"]


def advance(state, noise, position, num_threads=1):
    """The next samples and position."""
    lines, count = state.speech.lines, len(noise)
    lines[0, 1 : 1 + count] = noise
    span = Span(count, 0, position, state.packed.capacity, state.block)
    counters = np.zeros(num_threads * COUNTER_STRIDE, np.int64)
    with ThreadPoolExecutor(num_threads) as pool:
        threads = [
            pool.submit(
                run_student,
                state.packed.net,
                state.speech,
                state.make_scratch(),
                span,
                counters,
                thread,
                num_threads,
            )
            for thread in range(num_threads)
        ]
        positions = {thread.result() for thread in threads}
    assert len(positions) == 1
    spoken = lines[-1, 1 : 1 + count].copy()
    lines[:, 0] = lines[:, count]
    return spoken, positions.pop()


@pytest.mark.parametrize("skip_channels", [0, 4])
def test_a_span_is_the_students_own_map_of_its_noise(skip_channels):
    student = small_student(skip_channels=skip_channels)
    noise = student.noise((1, 60))
    expected, _ = student.rsample_with_conditionals(noise, None)
    found, position = advance(begin(student), noise[0].numpy(), 0)
    np.testing.assert_allclose(found, expected[0], rtol=1e-4, atol=1e-5)
    assert position == 60


@pytest.mark.parametrize("pieces", [[7] * 12, [40, 1, 43]])
def test_the_past_is_moved_to_the_front_where_there_is_no_more_room(pieces):
    student = small_student()
    noise = student.noise((1, sum(pieces)))
    whole, _ = advance(begin(student, capacity=128), noise[0].numpy(), 0)
    state, position, spoken = begin(student, capacity=48, block=16), 0, []
    for piece in torch.split(noise[0], pieces):
        found, position = advance(state, piece.numpy(), position)
        spoken.append(found)
        assert position <= 48
    assert np.array_equal(np.concatenate(spoken), whole)


@pytest.mark.parametrize("num_threads", [2, 3])
def test_threads_change_no_bit(num_threads):
    student = small_student()
    noise = student.noise((1, 60))[0].numpy()
    alone, _ = advance(begin(student), noise, 0)
    together, position = advance(begin(student), noise, 0, num_threads)
    assert np.array_equal(together, alone) and position == 60
