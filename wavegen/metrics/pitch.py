"""Errors of fundamental frequency and voicing between two time-aligned pitch tracks, and harmonicity.

Tracks have one value per 5 ms frame, as in `wavegen.audio.pitch`: `f0_hz` and `voiced`, `(frames,)`.
"""

import math

import numpy as np
import torch
from torch import Tensor

from wavegen.errors import UserError

UPSAMPLING = 4

Track = Tensor | np.ndarray


def f0_rmse_hz(
    reference_f0_hz: Track, reference_voiced: Track, estimate_f0_hz: Track, estimate_voiced: Track
) -> float:
    """sqrt(mean (f̂ − f)²) in Hz over the frames that are voiced in both; NaN if there are none.

    Read it together with `voicing_error`: if the estimate is rarely voiced, few frames are compared.
    """
    reference_f0_hz, estimate_f0_hz = torch.as_tensor(reference_f0_hz), torch.as_tensor(estimate_f0_hz)
    both = torch.as_tensor(reference_voiced).bool() & torch.as_tensor(estimate_voiced).bool()
    if not both.any():
        return math.nan
    return (estimate_f0_hz - reference_f0_hz)[both].double().square().mean().sqrt().item()


def voicing_error(reference_voiced: Track, estimate_voiced: Track) -> float:
    """Fraction of the frames that are voiced in one track and not in the other, 0 to 1."""
    reference, estimate = (torch.as_tensor(track).bool() for track in (reference_voiced, estimate_voiced))
    if reference.shape != estimate.shape or reference.numel() == 0:
        raise UserError(
            f"voicing_error: expected two non-empty tracks of the same shape, got {tuple(reference.shape)} "
            f"and {tuple(estimate.shape)}."
        )
    return (reference != estimate).double().mean().item()


def frame_harmonicity_db(
    waveform: Tensor,
    sample_rate: int,
    *,
    num_frames: int | None = None,
    hop_samples: int | None = None,
    f0_min_hz: float = 75.0,
    f0_max_hz: float = 500.0,
) -> Tensor:
    """Harmonics-to-noise ratio 10 log10(r / (1 − r)) at each frame centre, `(time,)` → `(frames,)`.

    r is the highest normalised autocorrelation at a lag of one period: the autocorrelation of the
    Hann-windowed frame, divided by that of the window. Windows have 4.5 periods of `f0_min_hz`. r is limited
    to 10⁻⁶ … 1 − 10⁻⁶, so values are within ±60 dB; white noise gives about −5 dB. Boersma, "Accurate
    short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a sampled sound"
    (1993).
    """
    hop_samples = hop_samples or sample_rate // 200
    num_frames = waveform.shape[-1] // hop_samples if num_frames is None else num_frames
    waveform = waveform.double()
    window_samples = 2 * round(2.25 * sample_rate / f0_min_hz)
    lag_min, lag_max = int(sample_rate / f0_max_hz), math.ceil(sample_rate / f0_min_hz)

    # Frame i is centred on (i + ½) · hop, like all frame values.
    left = window_samples // 2 - hop_samples // 2
    needed = (num_frames - 1) * hop_samples + window_samples
    padded = torch.nn.functional.pad(waveform, (left, max(0, needed - left - waveform.shape[-1])))
    frames = padded.unfold(-1, window_samples, hop_samples)[:num_frames]
    frames = frames - frames.mean(-1, keepdim=True)
    window = torch.hann_window(window_samples, dtype=torch.float64)

    size = 1 << (2 * window_samples - 1).bit_length()

    def autocorrelation(x: Tensor) -> Tensor:
        """At lags of a quarter sample (zero-padded inverse transform), as periods are not whole samples."""
        power = torch.fft.rfft(x, size).abs().square()
        return UPSAMPLING * torch.fft.irfft(power, UPSAMPLING * size)[..., : UPSAMPLING * lag_max + 2]

    correlation = autocorrelation(frames * window)
    energy = correlation[..., :1]
    window_correlation = autocorrelation(window)
    normalised = correlation / energy.clamp_min(1e-20) / (window_correlation / window_correlation[0])

    # Between those lags, a parabola through the best one and its neighbours gives the maximum.
    searched = normalised[..., UPSAMPLING * lag_min : UPSAMPLING * lag_max + 1]
    lag = searched.argmax(-1, keepdim=True) + UPSAMPLING * lag_min
    before, peak, after = (normalised.gather(-1, lag + shift) for shift in (-1, 0, 1))
    curvature = before - 2 * peak + after
    is_peak = (curvature < 0) & (peak >= before) & (peak >= after)
    bend = torch.where(is_peak, curvature, torch.ones_like(curvature))
    peak = torch.where(is_peak, peak - (before - after).square() / (8 * bend), peak).squeeze(-1)
    r = peak.clamp(1e-6, 1 - 1e-6)
    return 10 * torch.log10(r / (1 - r))


def harmonicity_db(waveform: Tensor, sample_rate: int, voiced: Tensor | None = None) -> float:
    """Median of `frame_harmonicity_db` over the frames that `voiced` `(frames,)` selects; NaN for none.

    Use the *recording's* voicing for every system: the frames that should be voiced.
    """
    num_frames = None if voiced is None else voiced.shape[-1]
    harmonicity = frame_harmonicity_db(waveform, sample_rate, num_frames=num_frames)
    if voiced is not None:
        harmonicity = harmonicity[torch.as_tensor(voiced).bool()]
    return harmonicity.median().item() if harmonicity.numel() else math.nan
