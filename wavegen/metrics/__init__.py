"""Metrics: pure functions of signals and log-probabilities."""

from wavegen.metrics.bits import bits_per_dimension, bits_per_sample, bootstrap_interval
from wavegen.metrics.frames import speech_frames, speech_samples
from wavegen.metrics.global_variance import global_variance_db
from wavegen.metrics.intelligibility import extended_stoi
from wavegen.metrics.level import level_dbfs, level_difference_db, level_rms
from wavegen.metrics.linear_predictor import LinearPredictor, linear_predictor_bits
from wavegen.metrics.pauses import pause_frames
from wavegen.metrics.pitch import f0_rmse_hz, harmonicity_db, voicing_error
from wavegen.metrics.quality import pesq_mos
from wavegen.metrics.recognition import SentenceChoice, phone_accuracy, recognised_phones
from wavegen.metrics.reconstruction import reconstruction_error
from wavegen.metrics.spectral import log_spectral_distance_db, mel_cepstral_distortion_db

__all__ = [
    "LinearPredictor",
    "SentenceChoice",
    "bits_per_dimension",
    "bits_per_sample",
    "bootstrap_interval",
    "extended_stoi",
    "f0_rmse_hz",
    "global_variance_db",
    "harmonicity_db",
    "level_dbfs",
    "level_difference_db",
    "level_rms",
    "linear_predictor_bits",
    "log_spectral_distance_db",
    "mel_cepstral_distortion_db",
    "pause_frames",
    "pesq_mos",
    "phone_accuracy",
    "recognised_phones",
    "reconstruction_error",
    "speech_frames",
    "speech_samples",
    "voicing_error",
]
