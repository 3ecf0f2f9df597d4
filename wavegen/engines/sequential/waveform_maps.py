"""Computes the map from a teacher's excitation to its waveform, window by window."""

from collections.abc import Generator
from contextlib import closing
from itertools import repeat

import numpy as np
import torch

from wavegen.engines.computed_ahead import computed_ahead
from wavegen.engines.conditioning_windows import check_length
from wavegen.engines.sequential.state import WaveformMap
from wavegen.engines.torch_threads import plain_arithmetic
from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.excitation_conditioner import ExcitationConditioner

WINDOWS_AT_ONCE = 8
"""Windows whose map is computed at once: with fewer, more of the nets' work is for the frames around them."""


class WaveformMaps:
    """The map of an :class:`ExcitationConditioner` in any window, in float32.

    A window's frames are cut from the context with the frames around them that they depend on, so the numbers
    are those of the whole utterance, and memory does not grow with its length.

    Args:
        conditioner: computes on its own device.
    """

    def __init__(self, conditioner: ExcitationConditioner) -> None:
        self.conditioner = conditioner
        self.device_type = next(conditioner.parameters()).device.type
        self.hop_samples = conditioner.source_filter.hop_samples
        self.lookahead_frames = conditioner.source_filter.lookahead_frames

    def of_windows(
        self, context: SpeechContext | None, num_samples: int, window_samples: int, *, in_thread: bool
    ) -> Generator[WaveformMap, None, None]:
        """For every window a map that covers it, among others; ``in_thread`` computes the next one ahead."""
        length = window_samples * WINDOWS_AT_ONCE

        def compute(index: int) -> WaveformMap:
            return self.window(context, index * length, min((index + 1) * length, num_samples))

        with closing(computed_ahead(compute, -(-num_samples // length), in_thread=in_thread)) as maps:
            for map in maps:
                yield from repeat(map, WINDOWS_AT_ONCE)

    @plain_arithmetic()
    def window(self, context: SpeechContext | None, start: int, stop: int) -> WaveformMap:
        """The map of the samples ``start … stop − 1`` of every utterance of a batch.

        Raises:
            UserError: if the context lacks an entry, or is too short.
        """
        hop, lookahead = self.hop_samples, self.lookahead_frames
        check_length(context, stop, hop)
        first, last = start // hop, -(-stop // hop)
        begin = max(0, first - lookahead)
        excerpt = context.cut(begin, last + lookahead) if context else None
        with torch.autocast(self.device_type, enabled=False):  # it may be called within a training step
            step = self.conditioner.step_parameters(excerpt, stop - begin * hop)
        here, frames = slice(start - begin * hop, None), slice(first - begin, last - begin)
        return WaveformMap(
            taps=_numbers(step.taps[:, frames].flip(-1)),
            frames_start=first * hop,
            hop_samples=hop,
            start=start,
            shift=_numbers(step.shift[:, here]),
            log_scale=_numbers(step.log_scale[:, here]),
            scale=_numbers(step.log_scale[:, here].exp()),
            gain=_numbers(step.log_gain[:, here].exp()),
            lag=step.lags.whole[:, here].cpu().contiguous().numpy(),
            fraction=_numbers(step.lags.fraction[:, here]),
            long_term_taps=_numbers(step.long_term_taps[:, frames]),
        )


def _numbers(tensor: torch.Tensor) -> np.ndarray:
    return tensor.float().cpu().contiguous().numpy()
