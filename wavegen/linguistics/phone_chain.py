"""The states that an utterance passes through: those of its phones, and of pauses between words."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from wavegen.audio.pitch import FRAME_S
from wavegen.linguistics.phones import SILENCE, TimedPhone

NUM_STATES = 3
"""Of each phone: beginning, middle and end. So a phone lasts at least three frames."""
_IMPOSSIBLE = -1e30


@dataclass(frozen=True)
class PhoneChain:
    """The phones of an utterance in order, with a pause wherever there may be one; each has three states.

    Args:
        phones: with silences of no duration where a pause may be inserted.
        optional: whether a unit may be skipped, ``(phones,)``.
    """

    phones: tuple[TimedPhone, ...]
    optional: np.ndarray

    @classmethod
    def of(cls, phones: Sequence[TimedPhone]) -> "PhoneChain":
        units = tuple(with_possible_pauses(phones))
        return cls(units, np.array([unit.is_silence for unit in units]))

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(phone.phone for phone in self.phones)

    @property
    def least_frames(self) -> int:
        return NUM_STATES * int((~self.optional).sum())

    def states_at(self, num_frames: int) -> np.ndarray:
        """States by the phones' own times, each phone divided into equal parts."""
        centres_s = (np.arange(num_frames) + 0.5) * FRAME_S
        starts_s = np.array([phone.start_s for phone in self.phones])
        ends_s = np.array([phone.end_s for phone in self.phones])
        unit = np.clip(np.searchsorted(starts_s, centres_s, side="right") - 1, 0, None)
        part = (centres_s - starts_s[unit]) / np.maximum(ends_s - starts_s, FRAME_S)[unit]
        return NUM_STATES * unit + np.clip((NUM_STATES * part).astype(int), 0, NUM_STATES - 1)


def with_possible_pauses(phones: Iterable[TimedPhone]) -> Iterator[TimedPhone]:
    """The phones, and a silence of no duration at both ends and between words where there is none."""
    before = None
    for phone in phones:
        if before is None:
            if not phone.is_silence:
                yield TimedPhone(SILENCE, phone.start_s, phone.start_s)
        elif not (phone.is_silence or before.is_silence) and phone.word != before.word:
            yield TimedPhone(SILENCE, phone.start_s, phone.start_s)
        yield phone
        before = phone
    if before is not None and not before.is_silence:
        yield TimedPhone(SILENCE, before.end_s, before.end_s)


@njit(cache=True, nogil=True)
def best_states(log_probs, stay, move, optional, num_states):
    """The most probable state of each frame, ``(frames,)``.

    A state is reached from itself or from the state before it; the first state of a unit, if the unit before
    it is optional, also from the last state of the one before that.
    """
    num_frames, size = log_probs.shape
    score, later = np.full(size, _IMPOSSIBLE), np.empty(size)
    came_from = np.empty((num_frames, size), np.int32)
    score[0] = log_probs[0, 0]
    if optional[0] and size > num_states:
        score[num_states] = log_probs[0, num_states]
    for t in range(1, num_frames):
        for s in range(size):
            best, source = score[s] + stay[s], s
            if s > 0 and score[s - 1] + move[s - 1] > best:
                best, source = score[s - 1] + move[s - 1], s - 1
            if s % num_states == 0 and s > num_states and optional[s - 1]:
                skipped = s - num_states - 1
                if score[skipped] + move[skipped] > best:
                    best, source = score[skipped] + move[skipped], skipped
            later[s] = best + log_probs[t, s]
            came_from[t, s] = source
        score[:] = later
    state = size - 1
    if optional[size - 1] and size > num_states and score[size - num_states - 1] > score[state]:
        state = size - num_states - 1
    path = np.empty(num_frames, np.int64)
    for t in range(num_frames - 1, -1, -1):
        path[t] = state
        state = came_from[t, state]
    return path
