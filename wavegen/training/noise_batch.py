"""A short batch of noise, on which models and losses are tried before a training."""

from collections.abc import Mapping
from typing import Any

import torch

from wavegen.data.speech.segments import Batch
from wavegen.linguistics.context import SpeechContext

LONGEST_S = 0.4
BATCH_SIZE = 2
LEVEL = 0.01  # root mean square


def noise_batch(voice: Mapping[str, Any], duration_s: float) -> Batch:
    """Noise with what a batch of a training has: a frame of past that is not scored, one of lookahead.

    Args:
        voice: ``sample_rate``, ``hop_samples`` and ``num_features``.
        duration_s: of its segments, at least a frame; only ``LONGEST_S`` of it are taken.
    """
    hop_samples = voice["hop_samples"]
    num_frames = 1 + max(1, round(min(duration_s, LONGEST_S) * voice["sample_rate"] / hop_samples))
    waveform = LEVEL * torch.randn(BATCH_SIZE, num_frames * hop_samples)
    context = SpeechContext.zeros(
        num_features=voice["num_features"], num_frames=num_frames + 1, batch_size=BATCH_SIZE
    )
    mask = torch.arange(waveform.shape[-1]).expand_as(waveform) >= hop_samples
    return Batch(waveform=waveform, context=context, mask=mask)
