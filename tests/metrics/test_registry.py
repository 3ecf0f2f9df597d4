"""The registry: complete, without doubles, and every function gives the closed form of a simple signal."""

import math

import numpy as np
import pytest
import torch

from wavegen.audio.pitch import PitchTrack
from wavegen.metrics.metric import Spoken
from wavegen.metrics.registry import DENSITY, DISTORTION, LIKELIHOOD, SPEED

RATE, FRAMES = 8000, 100
EVERY = (*DISTORTION, *LIKELIHOOD, *SPEED, *DENSITY)
UNITS = {
    "dB",
    "RMS",
    "Hz",
    "%",
    "bits per sample",
    "nats per sample",
    "samples/s",
    "bits per dimension",
    "nats per row",
    "correlation",
}


def measure(key, spoken):
    (metric,) = (metric for metric in DISTORTION if metric.key == key)
    return metric.function(spoken)


def speech(waveform, reference, *, hz=(100.0, 100.0), voiced=(1.0, 1.0)):
    """A system's waveform beside a recording, with constant pitch; system first, recording second."""
    tracks = [PitchTrack(np.full(FRAMES, f0), v * np.ones(FRAMES)) for f0, v in zip(hz, voiced, strict=True)]
    return Spoken(waveform, reference, RATE, *tracks)


def noise():
    return 0.1 * torch.randn(FRAMES * 40)


def test_keys_are_unique():
    keys = [metric.key for metric in EVERY]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("metric", EVERY, ids=lambda metric: metric.key)
def test_a_reader_is_told_everything(metric):
    assert metric.title and metric.explanation.endswith(".")
    assert metric.unit in UNITS
    assert metric.better in ("lower", "higher", "near")
    assert metric.percent == (metric.unit == "%")
    assert metric.digits >= 1
    words = {"dB": "db", "Hz": "hz", "bits per sample": "bits", "nats per sample": "nats"}
    assert words.get(metric.unit, "") in metric.key.lower() or "linear_predictor" in metric.key


def test_what_speech_is_measured_by_has_a_function_and_nothing_else_has():
    assert all(callable(metric.function) for metric in DISTORTION)
    assert all(metric.function is None for metric in (*LIKELIHOOD, *SPEED, *DENSITY))


def test_what_is_near_belongs_to_the_recording_too():
    """A distance to itself says nothing; a level has to be near the recording's own."""
    for metric in DISTORTION:
        assert metric.of_reference == (metric.better == "near"), metric.key


def test_titles_within_a_table_differ():
    for table in (DISTORTION, LIKELIHOOD, SPEED, DENSITY):
        assert len({metric.title for metric in table}) == len(table)


@pytest.mark.parametrize("key", [metric.key for metric in DISTORTION if metric.better == "lower"])
def test_a_signal_is_at_no_distance_from_itself(key):
    reference = noise()
    assert measure(key, speech(reference, reference)) == pytest.approx(0, abs=1e-9)


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


def test_level_is_the_root_mean_square_where_the_recording_is_voiced():
    """A square wave of 0.5 in the first half, 0.1 in the second, which alone the recording calls voiced."""
    signs = torch.ones(FRAMES * 40)
    signs[::2] = -1
    waveform = signs * torch.tensor([0.5, 0.1]).repeat_interleave(FRAMES * 20)
    half = np.repeat([0.0, 1.0], FRAMES // 2)
    spoken = speech(waveform, noise(), voiced=(1.0, half))
    assert measure("level_rms_voiced", spoken) == pytest.approx(0.1)
    assert measure("level_rms", spoken) == pytest.approx(math.sqrt((0.25 + 0.01) / 2))


def test_harmonicity_is_the_systems_own_in_the_recordings_voiced_frames():
    time = torch.arange(FRAMES * 40) / RATE
    tone = sum(0.1 * torch.cos(2 * math.pi * 140 * k * time) for k in range(1, 6))
    half = np.repeat([0.0, 1.0], FRAMES // 2)
    waveform = torch.where(torch.arange(len(tone)) < len(tone) // 2, noise(), tone)
    assert measure("harmonicity_db", speech(waveform, noise(), voiced=(1.0, half))) > 20
    assert measure("harmonicity_db", speech(waveform, tone, voiced=(1.0, 1 - half))) < 3


@pytest.mark.parametrize("key", ["f0_rmse_hz", "harmonicity_db", "level_rms_voiced"])
def test_what_is_taken_in_voiced_frames_weighs_by_them_and_needs_one(key):
    (metric,) = (metric for metric in DISTORTION if metric.key == key)
    assert metric.over == "voiced"
    assert math.isnan(measure(key, speech(noise(), noise(), voiced=(1.0, 0.0))))


def test_the_rest_is_taken_over_all_frames():
    assert {metric.key for metric in DISTORTION if metric.over == "all"} == {
        "log_spectral_distance_db",
        "log_spectral_distance_db_without_pauses",
        "mel_cepstral_distortion_db",
        "extended_stoi",
        "voicing_error",
        "level_rms",
    }
