"""Analysis frames of the metrics: settings of 5 ms frames, and detection of frames with speech."""

import torch
from torch import Tensor

from wavegen.audio.spectra import stft_magnitude

FRAME_RATE = 200


def analysis(sample_rate: int, *, window_s: float = 0.032) -> dict[str, int]:
    """Arguments of `stft_magnitude`: windows of `window_s` every 5 ms, FFT of at least twice that length."""
    window_samples = round(window_s * sample_rate)
    return dict(
        fft_size=1 << (2 * window_samples - 1).bit_length(),
        hop_samples=sample_rate // FRAME_RATE,
        window_samples=window_samples,
    )


def speech_frames(waveform: Tensor, sample_rate: int, *, range_db: float = 40.0) -> Tensor:
    """Frames whose short-time level is within `range_db` of that of the loudest frame; the others are pauses.

    `(…, time)` → bool `(…, 1 + time // hop)`, frame i centred on sample i · hop. An empty (all-zero) waveform
    has no speech.
    """
    magnitude = stft_magnitude(waveform, **analysis(sample_rate))
    power = magnitude.square().sum(-2)
    threshold = power.amax(-1, keepdim=True) * 10 ** (-range_db / 10)
    silent = waveform.abs().amax(-1, keepdim=True) == 0
    return (power >= threshold) & ~silent


def speech_samples(waveform: Tensor, sample_rate: int, *, range_db: float = 40.0) -> Tensor:
    """`speech_frames` at sample rate: bool `(…, time)`; each sample has the value of its nearest frame."""
    frames = speech_frames(waveform, sample_rate, range_db=range_db)
    hop_samples = sample_rate // FRAME_RATE
    nearest = (torch.arange(waveform.shape[-1], device=waveform.device) + hop_samples // 2) // hop_samples
    return frames[..., nearest.clamp_max(frames.shape[-1] - 1)]
