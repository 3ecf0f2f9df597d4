"""Metrics: pure functions of signals and log-probabilities."""

from wavegen.metrics.bits import bits_per_dimension, bits_per_sample, bootstrap_interval
from wavegen.metrics.frames import speech_frames, speech_samples
from wavegen.metrics.intelligibility import extended_stoi
from wavegen.metrics.level import level_rms
from wavegen.metrics.linear_predictor import LinearPredictor, linear_predictor_bits
from wavegen.metrics.pitch import f0_rmse_hz, harmonicity_db, voicing_error
from wavegen.metrics.reconstruction import reconstruction_error
from wavegen.metrics.spectral import log_spectral_distance_db, mel_cepstral_distortion_db

__all__ = [
    "LinearPredictor",
    "bits_per_dimension",
    "bits_per_sample",
    "bootstrap_interval",
    "extended_stoi",
    "f0_rmse_hz",
    "harmonicity_db",
    "level_rms",
    "linear_predictor_bits",
    "log_spectral_distance_db",
    "mel_cepstral_distortion_db",
    "reconstruction_error",
    "speech_frames",
    "speech_samples",
    "voicing_error",
]
