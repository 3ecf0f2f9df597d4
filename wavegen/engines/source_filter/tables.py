"""What the loop of a source-filter voice reads of a window of frames."""

from typing import NamedTuple

import numpy as np
from torch import Tensor
from torch.nn import functional

from wavegen.engines.conditioning_windows import check_length
from wavegen.engines.source_filter.kernel import sum_harmonics
from wavegen.engines.torch_threads import plain_arithmetic
from wavegen.flows.linear_prediction import LinearPrediction
from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.mixed_source import MixedSource
from wavegen.nets.conditioning import entry

WINDOW_FRAMES = 256
"""Frames of a window: with fewer, more of the nets' work is for the frames around it."""


class Tables(NamedTuple):
    """Of the utterances of a batch in a window; float32.

    ``taps (batch, frames, order)`` of the filter and ``noise_taps`` of the noise, that of the oldest sample
    first. ``harmonics (batch, samples)``: the sum of all. ``noise_gain``, ``gain``: of the noise, and of the
    excitation, that is the product of level and filter's gain.
    """

    taps: np.ndarray
    noise_taps: np.ndarray
    harmonics: np.ndarray
    noise_gain: np.ndarray
    gain: np.ndarray


class VoiceTables:
    """Computes the tables of a voice window by window; see :class:`Tables`.

    A window's frames are cut from the context with the frames around them on which they depend, so the
    numbers are those of the whole utterance. Only F0 is computed at once: frames that repeat the last one
    have the F0 before them, however many they are.

    Args:
        filter, mixture: the bijections of the voice.
        context: of the batch, all frames.
        num_samples: of the longest utterance.

    Raises:
        UserError: if the context lacks an entry, or is too short.
    """

    def __init__(
        self, filter: LinearPrediction, mixture: MixedSource, context: SpeechContext | None, num_samples: int
    ) -> None:
        self.filter, self.mixture, self.num_samples = filter, mixture, num_samples
        cycles = entry(context, "cycles")
        assert context is not None
        self.context, self.hop_samples = context, filter.hop_samples
        check_length(context, num_samples, self.hop_samples)
        self.f0_hz = mixture.f0_hz(cycles.double())
        # One frame more than the nets: what is linear between frames depends on the neighbours.
        self.lookahead_frames = 1 + max(
            filter.parameter_source.context_frames, mixture.parameter_source.context_frames
        )

    @plain_arithmetic()
    def window(self, index: int) -> Tables:
        """The tables of window number ``index``."""
        hop, first = self.hop_samples, index * WINDOW_FRAMES
        last = min(first + WINDOW_FRAMES, -(-self.num_samples // hop))
        begin = max(0, first - self.lookahead_frames)
        excerpt = self.context.cut(begin, last + self.lookahead_frames)
        frames = slice(first - begin, last - begin)
        samples = slice(frames.start * hop, frames.stop * hop)
        taps, log_gain = self.filter.coefficients(excerpt)
        shares, log_level = self.mixture.shares_and_log_level(excerpt, samples.stop)
        noise_taps, noise_log_gain = self.mixture.noise_filter(shares[:, frames], (last - first) * hop)
        log_gain = log_gain[:, frames].repeat_interleave(hop, -1) + log_level[:, samples]
        return Tables(
            taps=_numbers(taps[:, frames].flip(-1)),
            noise_taps=_numbers(noise_taps.flip(-1)),
            harmonics=self._harmonics(shares, begin, first, last),
            noise_gain=_numbers(noise_log_gain.exp()),
            gain=_numbers(log_gain.exp()),
        )

    def _harmonics(self, shares: Tensor, begin: int, first: int, last: int) -> np.ndarray:
        """The harmonics of the frames ``first … last − 1``; the first shares are those of frame ``begin``."""
        end = self.context.num_frames
        here = slice(max(0, first - 1), min(last + 1, end))
        ends = (1 if first == 0 else 0, 1 if last == end else 0)
        cycles, voiced = self.context["cycles"][:, here].double(), self.context["voiced"][:, here] > 0.5
        sums = np.zeros((len(cycles), (last - first) * self.hop_samples), np.float32)
        if not voiced.any():
            return sums
        near = shares[:, here.start - begin : here.stop - begin]
        amplitudes = self.mixture.amplitudes(near, self.f0_hz[:, here], voiced)
        amplitudes = functional.pad(amplitudes.transpose(1, 2), ends, mode="replicate").transpose(1, 2)
        cycles = functional.pad(cycles, ends, mode="replicate")
        scratch = np.zeros((5, self.hop_samples))
        for row, column in enumerate(sums):
            sum_harmonics(_numbers(amplitudes[row]), cycles[row].numpy(), self.hop_samples, scratch, column)
        return sums


def _numbers(tensor: Tensor) -> np.ndarray:
    return tensor.contiguous().numpy()
