import math

import numpy as np
import pytest
import torch

from wavegen.audio.pitch import PitchTrack
from wavegen.evaluation.speech.distortion import tally_utterance
from wavegen.evaluation.tally import Tally
from wavegen.metrics.metric import Spoken


def test_the_metrics_can_tell_resynthesis_from_noise(evaluation):
    for metric in ("log_spectral_distance_db", "mel_cepstral_distortion_db", "voicing_error"):
        near, far = (evaluation.metrics[f"{system}/{metric}"] for system in ("griffin_lim", "white_noise"))
        assert near < 0.6 * far, metric
    assert (
        evaluation.metrics["recording/harmonicity_db"] > evaluation.metrics["white_noise/harmonicity_db"] + 5
    )


RATE = 8000


def tone(hz, amplitude=0.3, num_frames=100):
    t = torch.arange(num_frames * 40) / RATE
    return sum(amplitude / k * torch.sin(2 * math.pi * k * hz * t) for k in (1, 2, 3))


def track(hz, voiced):
    return PitchTrack(np.full(len(voiced), float(hz)), np.asarray(voiced, float))


def tallied(estimate, reference, estimate_pitch, reference_pitch):
    tally = Tally()
    spoken = Spoken(estimate, reference, RATE, estimate_pitch, reference_pitch)
    tally_utterance("student", spoken, tally)
    names = ["level_rms", "level_rms_voiced", "harmonicity_db", "log_spectral_distance_db"]
    names += [
        "log_spectral_distance_db_without_pauses",
        "mel_cepstral_distortion_db",
        "f0_rmse_hz",
        "voicing_error",
    ]
    return {name: entries[0] for name in names if (entries := tally.entries(f"student/{name}"))}


def test_the_recording_gets_only_what_is_not_zero_by_definition():
    recording, pitch = tone(100), track(100, np.ones(100))
    values = tallied(recording, recording, pitch, pitch)
    assert values.keys() == {"level_rms", "level_rms_voiced", "harmonicity_db"}
    assert values["level_rms"] == (pytest.approx(recording.square().mean().sqrt().item()), 100)


def test_a_copy_is_at_distance_zero():
    recording, pitch = tone(100), track(100, np.ones(100))
    values = tallied(recording.clone(), recording, pitch, pitch)
    assert len(values) == 8
    for name, (value, _) in values.items():
        if name not in ("level_rms", "level_rms_voiced", "harmonicity_db"):
            assert value == pytest.approx(0.0, abs=1e-5), name


def test_errors_of_pitch_are_in_hertz_and_shares_of_frames():
    voiced = np.arange(100) < 60
    shorter = np.arange(100) < 45
    values = tallied(tone(110), tone(100), track(110, shorter), track(100, voiced))
    assert values["f0_rmse_hz"] == (pytest.approx(10.0), 60)
    assert values["voicing_error"] == (pytest.approx(0.15), 100)


def test_a_vowel_that_was_swallowed_counts_by_the_recordings_voicing():
    voiced = np.arange(100) < 50
    recording, swallowed = tone(100), tone(100)
    swallowed[: 50 * 40] = 0
    values = tallied(swallowed, recording, track(100, ~voiced), track(100, voiced))
    assert values["level_rms_voiced"] == (0.0, 50) and values["level_rms"][0] > 0.1
