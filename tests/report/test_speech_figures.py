"""Spectrograms against tones of known level, pitch against given tracks, bars against given numbers."""

import math

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from PIL import Image

from wavegen.audio.pitch import PitchTrack, frame_centres_s
from wavegen.errors import UserError
from wavegen.metrics.distortion_registry import DISTORTION
from wavegen.report.speech_figures import (
    RANGE_DB,
    metrics_figure,
    overview_figure,
    pitch_figure,
    spectrogram_figure,
    spectrogram_peak,
)
from wavegen.report.systems import BESIDE_TEACHER, SYSTEM_COLOURS, SYSTEM_TITLES

RATE = 8000


def tone(hz, duration_s=0.5):
    return torch.sin(2 * math.pi * hz * torch.arange(round(duration_s * RATE)) / RATE)


def test_a_tone_is_a_line_at_its_frequency_and_level(tmp_path, drawn):
    """Half as loud as the peak is −6 dB, over the whole time; an octave up there is next to nothing."""
    peak = spectrogram_peak(tone(1000), RATE)
    spectrogram_figure(0.5 * tone(1000), RATE, peak=peak, path=tmp_path / "a.png")
    (axes,) = drawn[0].axes
    (image,) = axes.get_images()
    level_db = np.asarray(image.get_array())
    assert image.get_extent() == [0, 0.5, 0, 4.0] and image.origin == "lower"
    assert image.get_clim() == (-RANGE_DB, 0)
    inside = level_db[:, 10:-10]
    bins = np.linspace(0, 4000, len(level_db))
    assert (np.abs(bins[inside.argmax(0)] - 1000) <= bins[1]).all()
    np.testing.assert_allclose(inside.max(0), 20 * math.log10(0.5), atol=0.1)
    assert inside[np.abs(bins - 2000).argmin()].max() < -60
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("seconds", "kHz")


def test_the_peak_grows_with_the_signal_and_silence_has_one():
    assert spectrogram_peak(3 * tone(500), RATE) == pytest.approx(3 * spectrogram_peak(tone(500), RATE))
    assert spectrogram_peak(torch.zeros(RATE), RATE) == 1e-5


def test_silence_is_dark_and_finite(tmp_path, drawn):
    spectrogram_figure(torch.zeros(RATE), RATE, peak=1e-5, path=tmp_path / "a.png")
    level_db = np.asarray(drawn[0].axes[0].get_images()[0].get_array())
    assert np.isfinite(level_db).all() and (level_db <= -RANGE_DB).all()


def tracks():
    voiced = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    return {
        "recording": PitchTrack(np.array([100.0, 101, 102, 103, 104]), np.ones(5)),
        "student": PitchTrack(np.array([200.0, 201, 202, 203, 204]), voiced),
    }


def test_pitch_is_drawn_at_frame_centres_with_gaps_where_it_is_unvoiced(tmp_path, drawn):
    pitch_figure(tracks(), tmp_path / "pitch.png")
    (axes,) = drawn[0].axes
    recording, student = axes.get_lines()
    np.testing.assert_allclose(recording.get_xdata(), frame_centres_s(5))
    np.testing.assert_array_equal(recording.get_ydata(), [100, 101, 102, 103, 104])
    np.testing.assert_array_equal(student.get_ydata(), [np.nan, 201, 202, np.nan, 204])
    assert axes.get_xlim() == pytest.approx((0, 0.025))


def test_the_recording_is_a_broad_band_behind_the_systems(tmp_path, drawn):
    pitch_figure(tracks(), tmp_path / "pitch.png")
    recording, student = drawn[0].axes[0].get_lines()
    assert recording.get_linewidth() > 3 * student.get_linewidth()
    assert student.get_color() == SYSTEM_COLOURS["student"] != recording.get_color()
    names = [text.get_text() for text in drawn[0].axes[0].get_legend().get_texts()]
    assert names == ["Recording", "Student"]


DISTANCES = ["log_spectral_distance_db", "mel_cepstral_distortion_db", "f0_rmse_hz", "voicing_error"]


@pytest.fixture
def metrics():
    values = {}
    for index, system in enumerate(["student", "teacher", "white_noise"]):
        for place, key in enumerate(DISTANCES):
            value = 0.1 * (1 + index) + place / 16
            ends = {"": value, "_low": value - 0.02, "_high": value + 0.05}
            values |= {f"{system}/{key}{end}": number for end, number in ends.items()}
    return values


def test_bars_are_the_numbers_with_their_intervals(tmp_path, drawn, metrics):
    systems = ["recording", "student", "teacher", "white_noise"]
    metrics["teacher/f0_rmse_hz"] = None
    metrics_figure(metrics, systems, tmp_path / "metrics.png")
    assert len(drawn[0].axes) == 4
    for axes, key in zip(drawn[0].axes, DISTANCES, strict=True):
        factor = 100 if key == "voicing_error" else 1
        there = [s for s in systems[1:] if metrics[f"{s}/{key}"] is not None]
        bars, intervals = axes.patches, axes.collections
        assert [bar.get_height() for bar in bars] == [factor * metrics[f"{s}/{key}"] for s in there]
        for interval, system in zip(intervals, there, strict=True):
            ((_, low), (_, high)) = interval.get_segments()[0]
            ends = [factor * metrics[f"{system}/{key}{end}"] for end in ("_low", "_high")]
            assert [low, high] == pytest.approx(ends)
        titles = [label.get_text().replace("-\n", "-").replace("\n", " ") for label in axes.get_xticklabels()]
        assert titles == [SYSTEM_TITLES[system] for system in there]


def test_systems_beside_the_teacher_are_named_and_coloured_as_ever(tmp_path, drawn, metrics):
    beside = {key.replace("student/", f"student{BESIDE_TEACHER}/"): value for key, value in metrics.items()}
    metrics_figure(beside, ["student" + BESIDE_TEACHER, "teacher"], tmp_path / "metrics.png")
    axes = drawn[0].axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["Student", "Teacher"]
    assert to_hex(axes.patches[0].get_facecolor()) == SYSTEM_COLOURS["student"]


def test_the_overview_has_a_row_a_system_and_a_column_a_sentence(tmp_path, drawn):
    """Three sentences at most; a system that speaks less leaves its row empty, in the recording's scale."""
    recordings = [
        tone(hz, duration_s) for hz, duration_s in ((500, 0.5), (1000, 0.4), (2000, 0.3), (3000, 1))
    ]
    spoken = {"recording": recordings, "teacher": [0.1 * recordings[0][:2000]], "student": recordings}
    overview_figure(spoken, RATE, tmp_path / "overview.png")
    grid = np.reshape(drawn[0].axes, (3, 3))
    assert [[len(axes.get_images()) for axes in row] for row in grid] == [[1, 1, 1], [1, 0, 0], [1, 1, 1]]
    assert [axes.get_xlim() for axes in grid[2]] == [(0, 0.5), (0, 0.4), (0, 0.3)]
    assert grid[1, 0].get_images()[0].get_extent() == [0, 0.25, 0, 4.0]
    level_db = np.asarray(grid[1, 0].get_images()[0].get_array())[:, 10:-10]
    np.testing.assert_allclose(level_db.max(0), -20, atol=0.1)
    assert [row[0].get_ylabel().partition("\n")[0] for row in grid] == ["Recording", "Teacher", "Student"]


def test_bars_name_quantity_and_unit(tmp_path, drawn, metrics):
    metrics_figure(metrics, ["student"], tmp_path / "metrics.png")
    assert [axes.get_title(loc="left") for axes in drawn[0].axes] == [
        "Log-spectral distance / dB",
        "Mel-cepstral distortion / dB",
        "Pitch error / Hz",
        "Voicing error / %",
    ]
    assert set(DISTANCES) < {metric.key for metric in DISTORTION}


def drawings(path, metrics):
    return {
        "spectrogram": lambda: spectrogram_figure(tone(1000), RATE, peak=1.0, path=path),
        "pitch": lambda: pitch_figure(tracks(), path),
        "metrics": lambda: metrics_figure(metrics, ["student"], path),
    }


@pytest.mark.parametrize(
    ("name", "inches"), [("spectrogram", (3.5, 2.1)), ("pitch", (9.2, 2.4)), ("metrics", (9.2, 2.6))]
)
def test_one_picture_of_its_size_is_written(tmp_path, metrics, name, inches):
    drawings(tmp_path / "a.png", metrics)[name]()
    picture = Image.open(tmp_path / "a.png")
    assert (picture.format, picture.size) == ("PNG", tuple(round(160 * side) for side in inches))
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("name", ["spectrogram", "pitch", "metrics"])
def test_nothing_is_left_of_a_figure_that_does_not_fit_the_disk(tmp_path, full_disk, metrics, name):
    with pytest.raises(UserError, match="cannot write .*a.png: No space left"):
        drawings(tmp_path / "a.png", metrics)[name]()
    assert not list(tmp_path.iterdir())
