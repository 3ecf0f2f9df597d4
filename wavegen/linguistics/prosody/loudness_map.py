"""Maps the loudness contour of a front end's speech to that of a voice, phone by phone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from wavegen.audio.loudness import FLOOR_DB
from wavegen.audio.pitch import frame_centres_s
from wavegen.errors import UserError
from wavegen.linguistics.phones import SILENCE, TimedPhone

_PRIOR_FRAMES = 50.0
_SMOOTHING_FRAMES = 5
_MIN_STD_DB = 0.1

Sums = Mapping[str, Sequence[float]]
"""Number of frames, sum and sum of squares of the loudness in dB, by phone."""


@dataclass(frozen=True)
class LoudnessMap:
    r"""Shifts the mean of each phone and scales the deviations from it.

    .. math:: L = s_p + \Delta_p + r\,(\ell - s_p), \qquad
              \Delta_p = \frac{n_p (m_p - s_p) + n_0 (m - s)}{n_p + n_0}

    :math:`\ell` is the front end's loudness in dB, :math:`s_p` and :math:`m_p` are the mean loudness of phone
    p in the front end's speech and in the recordings, :math:`m - s` is the difference over all speech,
    :math:`n_p` the number of frames of the phone in the recordings, :math:`n_0 = 50`, and r the ratio of the
    standard deviations within phones. The correction :math:`L - \ell` is smoothed over 25 ms, because it
    jumps at phone boundaries. Without phones the map is the identity.

    Args:
        phones: names; other phones get the mean of all speech.
        spoken_db: :math:`s_p`.
        shift_db: :math:`\Delta_p`.
        other_db: s and m − s, for other phones.
        ratio: r.

    Raises:
        UserError: if the lists differ in length, or a number is not finite.
    """

    phones: tuple[str, ...] = ()
    spoken_db: tuple[float, ...] = ()
    shift_db: tuple[float, ...] = ()
    other_db: tuple[float, float] = (0.0, 0.0)
    ratio: float = 1.0

    def __post_init__(self) -> None:
        for name in ("phones", "spoken_db", "shift_db", "other_db"):  # a stored description has lists
            object.__setattr__(self, name, tuple(getattr(self, name)))
        lengths = len(self.phones), len(self.spoken_db), len(self.shift_db)
        if len(set(lengths)) > 1:
            raise UserError(
                f"a loudness map has {lengths[0]} phones, {lengths[1]} levels and {lengths[2]} shifts, "
                "expected the same number of each"
            )
        numbers = np.array([*self.spoken_db, *self.shift_db, *self.other_db, self.ratio], dtype=np.float64)
        if not np.isfinite(numbers).all():
            raise UserError("a loudness map needs finite numbers")

    def __call__(self, loudness_db: np.ndarray, phones: Sequence[TimedPhone]) -> np.ndarray:
        """The voice's contour ``(frames,)`` for that of the front end's speech, whose phones are given."""
        if not self.phones:
            return loudness_db
        known = dict(zip(self.phones, zip(self.spoken_db, self.shift_db, strict=True), strict=True))
        of_frames = [known.get(name, self.other_db) for name in phones_of_frames(phones, len(loudness_db))]
        spoken, shift = np.array(of_frames).T
        correction = shift + (self.ratio - 1) * (loudness_db - spoken)
        half = _SMOOTHING_FRAMES // 2
        window = np.hanning(_SMOOTHING_FRAMES + 2)[1:-1]
        smooth = np.convolve(np.pad(correction, half, mode="edge"), window / window.sum(), mode="valid")
        return np.clip(loudness_db + smooth, FLOOR_DB, 0.0)

    @classmethod
    def fit(cls, recorded: Iterable[Sums], spoken: Iterable[Sums]) -> Self:
        """The map from the sums of the front end's utterances to those of the recordings."""
        recorded_sums, spoken_sums = _added(recorded), _added(spoken)
        speech = sorted((recorded_sums.keys() & spoken_sums.keys()) - {SILENCE})
        if not speech:
            return cls()
        totals = [np.sum([sums[name] for name in speech], 0) for sums in (recorded_sums, spoken_sums)]
        recorded_mean, spoken_mean = (total[1] / total[0] for total in totals)
        shifts, levels = [], []
        phones = sorted(recorded_sums.keys() & spoken_sums.keys())
        for name in phones:
            count, total, _ = recorded_sums[name]
            level = spoken_sums[name][1] / spoken_sums[name][0]
            # Silence is no quiet speech: it keeps its own mean.
            prior = 0.0 if name == SILENCE else _PRIOR_FRAMES
            shift = (total - count * level + prior * (recorded_mean - spoken_mean)) / (count + prior)
            shifts.append(float(shift))
            levels.append(float(level))
        recorded_std, spoken_std = (
            max(_std_within([sums[name] for name in speech]), _MIN_STD_DB)
            for sums in (recorded_sums, spoken_sums)
        )
        return cls(
            phones=tuple(phones),
            spoken_db=tuple(levels),
            shift_db=tuple(shifts),
            other_db=(float(spoken_mean), float(recorded_mean - spoken_mean)),
            ratio=float(recorded_std / spoken_std),
        )


def loudness_sums(loudness_db: np.ndarray, phones: Sequence[TimedPhone]) -> dict[str, list[float]]:
    """Number of frames, sum and sum of squares in dB, by phone: what :meth:`LoudnessMap.fit` takes."""
    # In the precision in which a corpus stores it.
    values = np.asarray(loudness_db, np.float32).astype(np.float64)
    names = np.array(phones_of_frames(phones, len(values)))
    return {
        str(name): [float(chosen.sum()), float(values[chosen].sum()), float(np.square(values[chosen]).sum())]
        for name in np.unique(names)
        for chosen in [names == name]
    }


def phones_of_frames(phones: Sequence[TimedPhone], num_frames: int) -> list[str]:
    """The phone at the centre of each frame; silence after the last one."""
    starts_s = [phone.start_s for phone in phones]
    current = np.searchsorted(starts_s, frame_centres_s(num_frames), side="right") - 1
    is_over = frame_centres_s(num_frames) >= (phones[-1].end_s if phones else 0.0)
    return [
        SILENCE if over else phones[max(index, 0)].phone
        for index, over in zip(current.tolist(), is_over.tolist(), strict=True)
    ]


def _added(many: Iterable[Sums]) -> dict[str, np.ndarray]:
    total: dict[str, np.ndarray] = {}
    for sums in many:
        for name, values in sums.items():
            total[name] = total.get(name, np.zeros(3)) + np.asarray(values)
    return total


def _std_within(sums: Sequence[np.ndarray]) -> float:
    """The standard deviation from each phone's own mean."""
    squares = sum(float(square - total**2 / count) for count, total, square in sums)
    return float(np.sqrt(max(squares, 0.0) / sum(count for count, _, _ in sums)))
