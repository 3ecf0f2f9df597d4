"""What every system is measured by: each function gives the closed form of a simple signal."""

import math

import numpy as np
import pytest
import torch

from wavegen.audio.pitch import PitchTrack
from wavegen.linguistics.phones import TimedPhone
from wavegen.metrics.distortion_registry import DISTORTION
from wavegen.metrics.metric import Spoken

RATE, FRAMES = 8000, 100


def measure(key, spoken):
    (metric,) = (metric for metric in DISTORTION if metric.key == key)
    return metric.function(spoken)


def speech(waveform, reference, *, hz=(100.0, 100.0), voiced=(1.0, 1.0), phones=()):
    """A system's waveform beside a recording, with constant pitch; system first, recording second."""
    tracks = [PitchTrack(np.full(FRAMES, f0), v * np.ones(FRAMES)) for f0, v in zip(hz, voiced, strict=True)]
    return Spoken(waveform, reference, RATE, *tracks, phones=phones)


def noise():
    return 0.1 * torch.randn(FRAMES * 40)


def test_what_the_recording_is_by_definition_is_what_its_copy_has():
    """Distances are 0, correlations and ratios 1; a level of its own is measured."""
    reference = noise()
    known = {metric.key: metric.of_recording for metric in DISTORTION}
    assert {key for key, value in known.items() if value is None} == {
        "phone_accuracy",
        "sentence_choice",
        "pesq_mos",
        "harmonicity_db",
        "pause_level_dbfs",
    }
    for metric in DISTORTION:
        if metric.function is not None and metric.of_recording is not None:
            value = metric.function(speech(reference.clone(), reference))
            assert value == pytest.approx(metric.of_recording, abs=1e-6), metric.key
        if metric.better == "lower":
            assert metric.of_recording == 0


def test_a_ratio_is_one_of_a_metric_that_is_there_and_needs_the_same_package():
    by_key = {metric.key: metric for metric in DISTORTION}
    (ratio,) = (metric for metric in DISTORTION if metric.relative_to is not None)
    assert ratio.of_recording == 1 and by_key[ratio.relative_to].package == ratio.package


@pytest.mark.parametrize("key", ["log_spectral_distance_db", "log_spectral_distance_db_without_pauses"])
def test_half_the_amplitude_is_six_decibels(key):
    reference = noise()
    assert measure(key, speech(reference / 2, reference)) == pytest.approx(20 * math.log10(2), abs=1e-3)


def test_a_pause_counts_for_one_of_the_distances_only():
    """Speech is twice as loud, and noise is where the recording pauses."""
    reference = noise()
    reference[: len(reference) // 2] *= 1e-5
    waveform = 2 * reference
    waveform[: len(reference) // 2] *= 100
    spoken = speech(waveform, reference)
    without = measure("log_spectral_distance_db_without_pauses", spoken)
    assert without < 8 < measure("log_spectral_distance_db", spoken)


def test_loudness_is_no_matter_of_the_mel_cepstra():
    reference = noise()
    assert measure("mel_cepstral_distortion_db", speech(reference / 2, reference)) == pytest.approx(
        0, abs=1e-3
    )
    other = torch.cumsum(reference, 0)
    assert measure("mel_cepstral_distortion_db", speech(other, reference)) > 3


def test_pitch_and_voicing_are_compared_frame_by_frame():
    reference = noise()
    half = np.repeat([1.0, 0.0], FRAMES // 2)
    spoken = speech(reference, reference, hz=(107.0, 100.0), voiced=(half, 1.0))
    assert measure("f0_rmse_hz", spoken) == pytest.approx(7.0)
    assert measure("voicing_error", spoken) == pytest.approx(0.5), "a share, which the table shows as 50 %"


def test_level_is_that_beside_the_recordings_where_it_is_voiced():
    """The first half is louder by 20 dB and does not count; the second, voiced, has half the level."""
    reference = noise()
    waveform = reference * torch.tensor([10.0, 0.5]).repeat_interleave(FRAMES * 20)
    half = np.repeat([0.0, 1.0], FRAMES // 2)
    spoken = speech(waveform, reference, voiced=(1.0, half))
    assert measure("voiced_level_db", spoken) == pytest.approx(-20 * math.log10(2), abs=1e-4)


def test_the_level_of_pauses_is_the_systems_own():
    phones = [TimedPhone("_", 0.0, 0.1), TimedPhone("æ", 0.1, 0.4), TimedPhone("_", 0.4, 0.5)]
    waveform = torch.full((FRAMES * 40,), 0.5)
    waveform[:600] = 0.01  # to 0.075 s, where the margin begins
    waveform[3400:] = 0.01
    spoken = speech(waveform, noise(), phones=phones)
    assert measure("pause_level_dbfs", spoken) == pytest.approx(-40, abs=1e-3)
    assert math.isnan(measure("pause_level_dbfs", speech(waveform, noise())))


def test_a_sentence_that_is_not_whole_is_not_chosen():
    assert math.isnan(measure("sentence_choice", speech(noise(), noise())))


def test_harmonicity_is_the_systems_own_in_the_recordings_voiced_frames():
    time = torch.arange(FRAMES * 40) / RATE
    tone = sum(0.1 * torch.cos(2 * math.pi * 140 * k * time) for k in range(1, 6))
    half = np.repeat([0.0, 1.0], FRAMES // 2)
    waveform = torch.where(torch.arange(len(tone)) < len(tone) // 2, noise(), tone)
    assert measure("harmonicity_db", speech(waveform, noise(), voiced=(1.0, half))) > 20
    assert measure("harmonicity_db", speech(waveform, tone, voiced=(1.0, 1 - half))) < 3


@pytest.mark.parametrize("key", ["f0_rmse_hz", "harmonicity_db", "voiced_level_db"])
def test_what_is_taken_in_voiced_frames_weighs_by_them_and_needs_one(key):
    (metric,) = (metric for metric in DISTORTION if metric.key == key)
    assert metric.over == "voiced"
    assert math.isnan(measure(key, speech(noise(), noise(), voiced=(1.0, 0.0))))


def test_the_rest_is_taken_over_frames_pauses_phones_or_utterances():
    over = {metric.key: metric.over for metric in DISTORTION if metric.over != "voiced"}
    assert {key for key, frames in over.items() if frames == "all"} == {
        "log_spectral_distance_db",
        "log_spectral_distance_db_without_pauses",
        "mel_cepstral_distortion_db",
        "global_variance_db",
        "extended_stoi",
        "voicing_error",
    }
    assert over["pause_level_dbfs"] == "pauses" and over["phone_accuracy"] == "phones"
    assert over["sentence_choice"] == over["pesq_mos"] == "utterances"
