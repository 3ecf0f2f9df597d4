"""The tables of windows are those of the whole utterance."""

import numpy as np
import pytest
import torch

from wavegen.engines.source_filter import tables as tables_module
from wavegen.engines.source_filter.tables import VoiceTables
from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext


@pytest.fixture
def members(make_source_filter):
    voice = make_source_filter(4).float().voice.bijection.requires_grad_(False)
    for parameter in voice.parameters():
        parameter.add_(0.3 * torch.randn_like(parameter))
    return list(voice.members)


def whole_tables(filter, mixture, context, num_samples):
    """By the bijections' own methods, of the whole context; per sample but for the taps."""
    taps, log_gain = filter.coefficients(context)
    shares, log_level = mixture.shares_and_log_level(context, num_samples)
    noise_taps, noise_log_gain = mixture.noise_filter(shares, num_samples)
    log_gain = log_gain.repeat_interleave(4, -1)[:, :num_samples]
    return {
        "taps": taps.flip(-1)[:, : -(-num_samples // 4)],
        "noise_taps": noise_taps.flip(-1)[:, : -(-num_samples // 4)],
        "harmonics": mixture.harmonics(context, shares, num_samples),
        "noise_gain": noise_log_gain.exp(),
        "gain": (log_gain + log_level).exp(),
    }


def together(tables, num_samples, window_frames):
    windows = [tables.window(index) for index in range(-(-num_samples // (4 * window_frames)))]
    return {
        name: torch.from_numpy(np.concatenate([getattr(window, name) for window in windows], 1))
        for name in windows[0]._fields
    }


def assert_windows_are_the_whole(members, context, num_samples, window_frames):
    found = together(VoiceTables(*members, context, num_samples), num_samples, window_frames)
    for name, expected in whole_tables(*members, context, num_samples).items():
        assert num_samples < 4 or expected.std() > 0.01
        torch.testing.assert_close(found[name][:, : expected.shape[1]], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("window_frames", [1, 7, 64])
@pytest.mark.parametrize(("frames", "num_samples"), [(50, 200), (53, 197), (1, 3)])
def test_windows_are_those_of_the_whole(
    members, speech_context, monkeypatch, window_frames, frames, num_samples
):
    """Also where the context ends with the waveform, and where frames of it remain."""
    monkeypatch.setattr(tables_module, "WINDOW_FRAMES", window_frames)
    context = speech_context(2, frames).to(torch.float32)
    context["voiced"][:, 0] = 1.0
    assert_windows_are_the_whole(members, context, num_samples, window_frames)


def test_frames_that_repeat_the_last_one_keep_its_f0_however_many_they_are(
    members, speech_context, monkeypatch
):
    monkeypatch.setattr(tables_module, "WINDOW_FRAMES", 4)
    context = speech_context(1, 40).to(torch.float32)
    moving = torch.arange(40).clamp(max=9)
    context = SpeechContext(
        features=context["features"], cycles=context["cycles"][:, moving], voiced=torch.ones(1, 40)
    )
    assert_windows_are_the_whole(members, context, 160, 4)


def test_unvoiced_windows_have_no_harmonics(members, speech_context):
    context = speech_context(1, 20).to(torch.float32)
    context["voiced"][:] = 0.0
    tables = VoiceTables(*members, context, 80).window(0)
    assert not tables.harmonics.any() and tables.noise_gain.any()


def test_a_short_context_and_none_are_refused(members, speech_context):
    with pytest.raises(UserError, match=r"covers 20 samples \(5 frames\), expected at least 21"):
        VoiceTables(*members, speech_context(1, 5), 21)
    with pytest.raises(UserError, match="'cycles' but got no context"):
        VoiceTables(*members, None, 20)
