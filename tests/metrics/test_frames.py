"""Which frames hold speech, and how the level is taken there."""

import math

import pytest
import torch

from wavegen.errors import UserError
from wavegen.metrics.frames import speech_frames, speech_samples
from wavegen.metrics.level import level_rms

RATE = 16000


def half_silent() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 0.1 * torch.randn(RATE, generator=generator) * (torch.arange(RATE) < RATE // 2)


def test_speech_is_where_the_sound_is():
    waveform = half_silent() + 1e-4 * torch.sin(torch.arange(RATE) * 0.1)
    frames, samples = speech_frames(waveform, RATE), speech_samples(waveform, RATE)
    assert frames.shape == (201,) and samples.shape == (RATE,)
    assert frames[:96].all() and not frames[105:].any()
    assert samples[:7600].all() and not samples[8400:].any()


def test_batch_members_have_their_own_loudest_frame():
    loud = half_silent()
    together = speech_frames(torch.stack([loud, 1e-3 * loud]), RATE)
    assert torch.equal(together[0], together[1])


def test_silence_has_no_speech():
    assert not speech_frames(torch.zeros(4000), RATE).any()


def test_level_overall_and_in_marked_frames():
    waveform = torch.cat([torch.full((8000,), 0.5), torch.zeros(8000)])
    assert level_rms(waveform) == pytest.approx(0.5 / math.sqrt(2))
    assert level_rms(waveform, torch.arange(200) < 100) == pytest.approx(0.5)
    assert level_rms(waveform, torch.arange(200) >= 100) == 0.0
    assert math.isnan(level_rms(waveform, torch.zeros(200)))
    with pytest.raises(UserError, match="one frame"):
        level_rms(torch.zeros(10), torch.zeros(11))
