"""Distances between the short-time spectra of time-aligned signals, in decibels.

Both compare frame i with frame i without time warping, because copy-synthesis has the recording's timing.
"""

import math

import torch
from torch import Tensor

from wavegen.audio.spectra import mel_spectrogram, stft_magnitude
from wavegen.errors import UserError
from wavegen.metrics.frames import analysis, speech_frames

NUM_MELS = 40


def _paired(reference: Tensor, estimate: Tensor) -> tuple[Tensor, Tensor]:
    if reference.shape != estimate.shape:
        raise UserError(
            f"metrics: reference and estimate must have the same shape, got {tuple(reference.shape)} "
            f"and {tuple(estimate.shape)}."
        )
    return reference.double(), estimate.double()


def _log_floored(reference: Tensor, estimate: Tensor, floor_db: float) -> tuple[Tensor, Tensor]:
    """ln of both magnitudes, limited to at least `floor_db` below the reference's peak."""
    floor = reference.amax((-2, -1), keepdim=True) * 10 ** (-floor_db / 20)
    floor = floor.clamp_min(1e-10)
    return torch.maximum(reference, floor).log(), torch.maximum(estimate, floor).log()


def _mean_over_frames(distance: Tensor, keep: Tensor | None) -> float:
    if keep is not None:
        distance = distance[keep]
    return distance.mean().item() if distance.numel() else math.nan


def log_spectral_distance_db(
    reference: Tensor,
    estimate: Tensor,
    sample_rate: int,
    *,
    floor_db: float = 80.0,
    without_pauses: bool = False,
) -> float:
    """Mean over 5 ms frames of sqrt(mean over bins of (20 log10 |X̂| / |X|)²); waveforms `(time,)`.

    Magnitudes are limited to at least `floor_db` below the reference's loudest bin; otherwise digital silence
    would dominate the mean. With `without_pauses` the mean is over the speech frames of the *reference*, NaN
    if there are none.
    """
    reference, estimate = _paired(reference, estimate)
    options = analysis(sample_rate)
    of_reference, of_estimate = (stft_magnitude(x, **options) for x in (reference, estimate))
    log_reference, log_estimate = _log_floored(of_reference, of_estimate, floor_db)
    difference_db = 20 / math.log(10) * (log_estimate - log_reference)
    keep = speech_frames(reference, sample_rate) if without_pauses else None
    return _mean_over_frames(difference_db.square().mean(-2).sqrt(), keep)


def mel_cepstra(log_mel: Tensor, *, order: int = 24) -> Tensor:
    """Mel-cepstra c_0 … c_order of log mel magnitudes: `(…, bands, frames)` → `(…, order + 1, frames)`.

    The convention is that of SPTK's minimum-phase mel-cepstra: ln |H_k| = c_0 + Σ_m c_m cos(π m (k + ½) / K),
    so c_m = 2/K Σ_k ln |H_k| cos(π m (k + ½) / K), and half of that for m = 0.
    """
    num_bands = log_mel.shape[-2]
    if order >= num_bands:
        raise UserError(f"mel_cepstra: order must be below the {num_bands} mel bands, got {order}.")
    band = torch.arange(num_bands, dtype=log_mel.dtype, device=log_mel.device) + 0.5
    quefrency = torch.arange(order + 1, dtype=log_mel.dtype, device=log_mel.device)
    basis = torch.cos(math.pi / num_bands * quefrency[:, None] * band) * (2 / num_bands)
    basis[0] /= 2
    return basis @ log_mel


def paired_mel_cepstra(
    reference: Tensor, estimate: Tensor, sample_rate: int, *, order: int = 24, floor_db: float = 80.0
) -> tuple[Tensor, Tensor]:
    """`mel_cepstra` of both waveforms `(time,)` in 5 ms frames: two tensors `(order + 1, frames)`, float64.

    Mel magnitudes are limited to at least `floor_db` below the reference's loudest. Raises UserError if the
    lengths differ.
    """
    reference, estimate = _paired(reference, estimate)
    options = analysis(sample_rate) | dict(num_mels=NUM_MELS)
    of_reference, of_estimate = (mel_spectrogram(x, sample_rate, **options) for x in (reference, estimate))
    log_reference, log_estimate = _log_floored(of_reference, of_estimate, floor_db)
    return mel_cepstra(log_reference, order=order), mel_cepstra(log_estimate, order=order)


def mel_cepstral_distortion_db(
    reference: Tensor,
    estimate: Tensor,
    sample_rate: int,
    *,
    order: int = 24,
    floor_db: float = 80.0,
    without_pauses: bool = True,
) -> float:
    """(10 / ln 10) · sqrt(2 Σ_{m=1…order} (c_m − ĉ_m)²), mean over the 5 ms speech frames of the reference.

    Without c_0, a constant gain has no effect. The cepstra are the cosine transform of a 40-band log mel
    spectrum. SPTK's `mcep` fits a warped spectral envelope by iteration; its c_m have the same unit but other
    values, so compare within one table and not across papers. Kubichek, "Mel-cepstral distance measure for
    objective speech quality assessment" (1993).
    """
    of_reference, of_estimate = paired_mel_cepstra(
        reference, estimate, sample_rate, order=order, floor_db=floor_db
    )
    difference = (of_estimate - of_reference)[1:]
    distortion_db = 10 / math.log(10) * (2 * difference.square().sum(-2)).sqrt()
    keep = speech_frames(reference.double(), sample_rate) if without_pauses else None
    return _mean_over_frames(distortion_db, keep)
