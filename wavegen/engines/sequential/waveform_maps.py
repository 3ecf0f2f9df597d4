"""Computes the map from a teacher's excitation to its waveform, window by window."""

import torch

from wavegen.engines.conditioning_windows import check_length
from wavegen.engines.sequential.state import WaveformMap
from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.excitation_conditioner import ExcitationConditioner


class WaveformMaps:
    """The map of an :class:`ExcitationConditioner` in any window, in float32.

    A window's frames are cut from the context with the frames around them that they depend on, so the numbers
    are those of the whole utterance, and memory does not grow with its length.

    Args:
        conditioner: computes on its own device.
    """

    def __init__(self, conditioner: ExcitationConditioner) -> None:
        self.conditioner = conditioner
        self.hop_samples = conditioner.source_filter.hop_samples
        self.lookahead_frames = conditioner.source_filter.lookahead_frames

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
        shift, log_scale, taps = self.conditioner.step_parameters(excerpt, stop - begin * hop)
        here = slice(start - begin * hop, None)
        shift, log_scale = shift[:, here], log_scale[:, here]
        return WaveformMap(
            taps=_numbers(taps[:, first - begin : last - begin].flip(-1)),
            start=first * hop,
            hop_samples=hop,
            shift=_numbers(shift),
            log_scale=_numbers(log_scale),
            scale=_numbers(log_scale.exp()),
        )


def _numbers(tensor: torch.Tensor):
    return tensor.float().cpu().contiguous().numpy()
