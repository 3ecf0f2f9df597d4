"""A system's waveform against the recording: every distance, level and harmonicity for one utterance."""

import torch
from torch import Tensor

from wavegen.audio.pitch import PitchTrack
from wavegen.evaluation.tally import Tally
from wavegen.metrics import (
    f0_rmse_hz,
    harmonicity_db,
    level_rms,
    log_spectral_distance_db,
    mel_cepstral_distortion_db,
    voicing_error,
)


def tally_waveform(
    system: str,
    estimate: Tensor,
    reference: Tensor,
    sample_rate: int,
    *,
    estimate_pitch: PitchTrack,
    reference_pitch: PitchTrack,
    tally: Tally,
) -> None:
    """Adds ``system/…`` for one utterance; the recording itself gets only what is not zero by definition.

    ``estimate`` and ``reference`` are ``(samples,)``. Level and harmonicity in voiced frames take the
    *reference's* voicing: a vowel that was swallowed should count.
    """
    voiced = torch.as_tensor(reference_pitch.voiced) > 0.5
    frames, voiced_frames = len(voiced), int(voiced.sum())
    tally.add(f"{system}/level_rms", level_rms(estimate), frames)
    tally.add(f"{system}/level_rms_voiced", level_rms(estimate, voiced), voiced_frames)
    tally.add(f"{system}/harmonicity_db", harmonicity_db(estimate, sample_rate, voiced), voiced_frames)
    if estimate is reference:
        return
    pair = (reference, estimate, sample_rate)
    tally.add(f"{system}/log_spectral_distance_db", log_spectral_distance_db(*pair), frames)
    spoken = log_spectral_distance_db(*pair, without_pauses=True)
    tally.add(f"{system}/log_spectral_distance_db_without_pauses", spoken, frames)
    tally.add(f"{system}/mel_cepstral_distortion_db", mel_cepstral_distortion_db(*pair), frames)
    error_hz = f0_rmse_hz(
        reference_pitch.f0_hz, reference_pitch.voiced, estimate_pitch.f0_hz, estimate_pitch.voiced
    )
    tally.add(f"{system}/f0_rmse_hz", error_hz, voiced_frames)
    tally.add(f"{system}/voicing_error", voicing_error(reference_pitch.voiced, estimate_pitch.voiced), frames)
