import json
import math
import sys

import numpy as np
import pytest

from wavegen.audio.pitch import (
    FRAME_S,
    PraatPitch,
    PyinPitch,
    frame_centres_s,
    frames_in,
    interpolate_log_f0,
    whole_frames_in,
)
from wavegen.errors import UserError
from wavegen.untrusted.parts import describe, restore

RATE = 16000


def pulses_and_noise(hz: float = 125.0) -> tuple[np.ndarray, np.ndarray]:
    """0.3 s silence, 0.5 s of a decaying pulse train at ``hz``, 0.3 s silence; and the pulses' times."""
    waveform = np.zeros(int(1.1 * RATE))
    pulses_s = np.arange(0.3, 0.8, 1 / hz)
    decay = np.exp(-np.arange(200) / 15) * np.sin(np.arange(200) * 0.3 + 1.2)
    for pulse_s in pulses_s:
        at = round(pulse_s * RATE)
        waveform[at : at + 200] += decay * 0.3
    return waveform.astype(np.float32), pulses_s


def test_frames_are_described_at_their_centres():
    np.testing.assert_allclose(frame_centres_s(3), [0.0025, 0.0075, 0.0125])


@pytest.mark.parametrize("rate", [200, 8000, 16000, 24000, 44100, 48000, 192_000])
def test_a_multiple_of_5_ms_is_that_many_frames(rate):
    """Division alone gives a frame too many for 68 of them, and a frame too few for 253."""
    for num_frames in range(2000):
        multiples_s = [num_frames * FRAME_S, num_frames / 200]
        if num_frames * rate % 200 == 0:
            multiples_s.append(num_frames * rate // 200 / rate)
        for duration_s in multiples_s:
            assert frames_in(duration_s) == whole_frames_in(duration_s) == num_frames


@pytest.mark.parametrize("num_frames", [1, 7, 720_000])
def test_a_sample_more_begins_a_frame(num_frames):
    """Also after an hour, at the highest rate."""
    duration_s = (num_frames * 960 + 1) / 192_000
    assert (frames_in(duration_s), whole_frames_in(duration_s)) == (num_frames + 1, num_frames)


@pytest.mark.parametrize("tracker", [PraatPitch(), PyinPitch(min_hz=80, max_hz=300)], ids=["praat", "pyin"])
def test_a_pulse_train_is_found_where_it_is(tracker):
    waveform, _ = pulses_and_noise()
    num_frames = len(waveform) // 80
    track = tracker(waveform, RATE, num_frames)
    centres_s = frame_centres_s(num_frames)
    inside = (centres_s > 0.35) & (centres_s < 0.75)
    outside = (centres_s < 0.25) | (centres_s > 0.87)
    assert track.f0_hz.shape == track.voiced.shape == (num_frames,)
    assert set(np.unique(track.voiced)) <= {0.0, 1.0}
    assert track.voiced[inside].mean() > 0.95
    assert track.voiced[outside].mean() < 0.05
    np.testing.assert_allclose(track.f0_hz[inside & (track.voiced > 0)], 125.0, rtol=0.02)
    assert (track.f0_hz > 0).all()


def test_praat_marks_one_pulse_a_period():
    waveform, pulses_s = pulses_and_noise()
    found = PraatPitch()(waveform, RATE, len(waveform) // 80).pulses_s
    inner = found[(found > 0.35) & (found < 0.75)]
    np.testing.assert_allclose(np.diff(inner), 1 / 125.0, atol=2e-4)
    assert abs(len(found) - len(pulses_s)) <= 3


def test_silence_is_unvoiced_with_a_usable_f0():
    track = PraatPitch()(np.zeros(8000, np.float32), RATE, 100)
    assert track.voiced.sum() == 0 and len(track.pulses_s) == 0
    assert np.isfinite(np.log(track.f0_hz)).all()


def test_interpolation_is_linear_in_log_f0():
    f0 = np.array([0.0, 100.0, 0.0, 0.0, 200.0, 0.0])
    voiced = np.array([0, 1, 0, 0, 1, 0])
    expected = np.log([100, 100, 100 * 2 ** (1 / 3), 100 * 2 ** (2 / 3), 200, 200])
    np.testing.assert_allclose(interpolate_log_f0(f0, voiced), expected, rtol=1e-12)


@pytest.mark.parametrize("tracker", [PraatPitch(70.0), PyinPitch(max_hz=300.0)])
def test_a_tracker_comes_back_from_its_description(tracker):
    assert restore(json.loads(json.dumps(describe(tracker))), type(tracker), "x.json") == tracker


@pytest.mark.parametrize("kind", [PraatPitch, PyinPitch])
@pytest.mark.parametrize(
    "limits", [(500.0, 400.0), (0.0, 400.0), (1e-9, 400.0), (60.0, math.inf), (math.nan, 400.0)]
)
def test_limits_that_are_none_are_refused(kind, limits):
    with pytest.raises(UserError, match="a pitch tracker needs 1 <= min_hz < max_hz"):
        kind(*limits)


def test_without_parselmouth_one_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "parselmouth", None)
    with pytest.raises(UserError, match="praat-parselmouth.*PyinPitch"):
        PraatPitch()(np.zeros(8000, np.float32), RATE, 100)
