"""The engine is the voice's map of its noise, for any blocks, in constant memory."""

import gc
import tracemalloc

import pytest
import torch

from wavegen.engines.conditioning_windows import Unsupported
from wavegen.engines.source_filter.engine import VoiceEngine
from wavegen.errors import UserError


@pytest.fixture
def voice(make_source_filter):
    voice = make_source_filter(4).float().voice.bijection.requires_grad_(False)
    for parameter in voice.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    return voice


def spoken(voice, context, noise, lengths=None, pieces=None):
    speech = VoiceEngine(voice).start(context, lengths or [noise.shape[1]] * len(noise))
    result = torch.cat([speech.advance(piece) for piece in noise.split(pieces or noise.shape[1], 1)], 1)
    speech.close()
    return result


@pytest.mark.parametrize(("num_samples", "frames"), [(1, 1), (511, 130), (1200, 300)])
def test_it_is_the_voices_map(voice, speech_context, num_samples, frames):
    """Windows are of 256 frames, 1024 samples."""
    context, noise = speech_context(2, frames).to(torch.float32), torch.randn(2, num_samples)
    expected, _ = voice.generate(noise, context)
    error = (spoken(voice, context, noise) - expected).abs().max() / expected.abs().max()
    assert error < 1e-5 and expected.abs().max() < 100
    exact, _ = voice.double().generate(noise.double(), context.to(torch.float64))
    voice.float()
    error = (spoken(voice, context, noise) - exact).abs().max() / exact.abs().max()
    assert error < 1e-5


def test_ten_seconds_of_narrow_resonances_stay_within_a_float32_bound(make_source_filter, speech_context):
    """Reflections near one, as of vowels: poles of radius 0.99 and more, at 16 kHz for 10 s."""
    voice = make_source_filter(80).float().voice.bijection.requires_grad_(False)
    with torch.no_grad():
        voice.members[0].expansion.fill_(1.0)
        voice.members[0].parameter_source.last.bias[:5] = torch.tensor([2.5, -2.0, 1.0, -1.5, 0.5])
    context, noise = speech_context(1, 2000).to(torch.float32), torch.randn(1, 160_000)
    result = spoken(voice, context, noise)
    rounded, _ = voice.generate(noise, context)
    exact, _ = voice.double().generate(noise.double(), context.to(torch.float64))
    error, pytorchs_error = ((found - exact).abs().max() / exact.abs().max() for found in (result, rounded))
    assert error < 3e-4 and error < 1.2 * pytorchs_error  # measured: 1e-4 for both, of taps in float32


def test_the_same_bits_for_any_blocks(voice, speech_context):
    context, noise = speech_context(2, 300).to(torch.float32), torch.randn(2, 1200)
    expected = spoken(voice, context, noise)
    for pieces in (1, 7, 1000, 1024, 1025):
        assert torch.equal(spoken(voice, context, noise, pieces=pieces), expected), pieces


def test_unequal_lengths_are_spoken_as_alone_and_end_in_zeros(voice, speech_context):
    context, noise = speech_context(3, 300).to(torch.float32), torch.randn(3, 1200)
    lengths = [530, 1200, 7]
    result = spoken(voice, context, noise, lengths, pieces=100)
    expected, _ = voice.generate(noise, context)
    for row, length in enumerate(lengths):
        torch.testing.assert_close(result[row, :length], expected[row, :length], rtol=1e-4, atol=1e-5)
        assert not result[row, length:].any()


def test_a_sample_depends_on_its_own_and_earlier_noise_only(voice, speech_context):
    context, noise = speech_context(1, 300).to(torch.float32), torch.randn(1, 1200)
    changed = noise.clone()
    changed[:, 700] += 1.0
    differs = (spoken(voice, context, noise) != spoken(voice, context, changed))[0].nonzero()
    assert differs[0].item() == 700


def test_autocast_and_gradients_leave_it_alone(voice, speech_context):
    context, noise = speech_context(1, 10).to(torch.float32), torch.randn(1, 40)
    expected = spoken(voice, context, noise)
    voice.requires_grad_(True)
    with torch.autocast("cpu", torch.bfloat16):
        result = spoken(voice, context, noise)
    assert torch.equal(result, expected) and not result.requires_grad


def test_memory_does_not_grow_with_the_length(voice, speech_context):
    def peak(num_samples):
        context = speech_context(1, num_samples // 4).to(torch.float32)
        speech = VoiceEngine(voice).start(context, [num_samples])
        gc.collect()
        tracemalloc.start()
        for begin in range(0, num_samples, 400):
            speech.advance(torch.zeros(1, min(400, num_samples - begin)))
        result = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return result

    peak(2000)
    # The harmonics alone, were they kept, would take four bytes a sample.
    assert peak(80_000) - peak(10_000) < 140_000


def test_a_context_that_does_not_fit_is_refused(voice, speech_context):
    with pytest.raises(UserError, match="batch of 2, expected 1"):
        VoiceEngine(voice).start(speech_context(2, 5), [20])
    with pytest.raises(UserError, match="covers 20 samples"):
        VoiceEngine(voice).start(speech_context(1, 5), [21])


def test_a_voice_in_float64_is_named(voice):
    with pytest.raises(Unsupported, match="is float64"):
        VoiceEngine(voice.double())
