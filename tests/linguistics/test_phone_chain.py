import itertools
from dataclasses import replace

import numpy as np
import pytest

from wavegen.linguistics.phone_chain import PhoneChain, best_states, with_possible_pauses
from wavegen.linguistics.phones import TimedPhone


@pytest.mark.parametrize("optional", [(0, 0, 0), (1, 0, 1), (0, 1, 0), (1, 0, 0), (0, 0, 1)])
def test_the_best_path_is_the_best_of_all_paths(optional):
    rng = np.random.default_rng(3)
    num_states, num_frames = 2, 7
    optional = np.repeat(np.array(optional, bool), num_states)
    size = len(optional)
    log_probs, stay, move = rng.normal(size=(num_frames, size)), *rng.normal(size=(2, size))

    def reachable(state):
        yield state + 1
        after = state // num_states + 1
        if (
            state % num_states == num_states - 1
            and (after + 1) * num_states < size
            and optional[after * num_states]
        ):
            yield (after + 1) * num_states

    last = {size - 1} | ({size - num_states - 1} if optional[-1] else set())
    first = {0} | ({num_states} if optional[0] else set())
    best = -np.inf, None
    for path in itertools.product(range(size), repeat=num_frames):
        if path[0] not in first or path[-1] not in last:
            continue
        score = log_probs[0, path[0]]
        for t, (a, b) in enumerate(itertools.pairwise(path), 1):
            if a != b and b not in reachable(a):
                break
            score += (stay if a == b else move)[a] + log_probs[t, b]
        else:
            best = max(best, (score, path))
    np.testing.assert_array_equal(best_states(log_probs, stay, move, optional, num_states), best[1])


def test_a_pause_may_be_between_words_and_at_both_ends_only():
    phones = [
        TimedPhone("a", 0.0, 0.1, 0, 0),
        TimedPhone("b", 0.1, 0.2, 0, 0),
        TimedPhone("c", 0.2, 0.3, 0, 1),
    ]
    assert [p.phone for p in with_possible_pauses(phones)] == ["_", "a", "b", "_", "c", "_"]
    paused = [*phones[:2], TimedPhone("_", 0.2, 0.25), replace(phones[2], start_s=0.25)]
    assert [p.phone for p in with_possible_pauses(paused)] == ["_", "a", "b", "_", "c", "_"]


def test_states_by_time_divide_each_phone():
    phones = [TimedPhone("_", 0.0, 0.01), TimedPhone("a", 0.01, 0.04, 0, 0), TimedPhone("_", 0.04, 0.05)]
    states = PhoneChain.of(phones).states_at(10)
    np.testing.assert_array_equal(states, [0, 2, 3, 3, 4, 4, 5, 5, 6, 8])
