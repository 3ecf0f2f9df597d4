"""Which frames hold speech, and how the level is taken there."""

import torch

from wavegen.metrics.frames import speech_frames, speech_samples

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
