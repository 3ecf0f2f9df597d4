"""The phone classifier: frames, what it looks at, and what its filters hear."""

import math

import pytest
import torch

from wavegen.errors import UserError
from wavegen.models.speech.phone_classifier import PhoneClassifier, gabor_pairs

SAMPLE_RATE, HOP = 8000, 40


def small(**options):
    given = {"num_filters": 8, "channels": 6, "num_layers": 3, **options}
    return PhoneClassifier(num_phones=5, sample_rate=SAMPLE_RATE, hop_samples=HOP, **given).double().eval()


@pytest.mark.parametrize("num_frames", [1, 7, 30])
def test_every_whole_frame_has_logits(num_frames):
    classifier = small()
    waveform = torch.randn(2, num_frames * HOP + 3, dtype=torch.float64)
    assert classifier(waveform).shape == (2, 5, num_frames)
    assert [layer.shape[:2] for layer in classifier.activations(waveform)] == [(2, 6)] * 3


def test_a_frame_depends_on_as_many_samples_on_either_side_as_the_receptive_field():
    classifier = small()
    waveform = (0.1 * torch.randn(1, 60 * HOP, dtype=torch.float64)).requires_grad_()
    frame = 30
    classifier(waveform)[0, :, frame].square().sum().backward()
    touched = waveform.grad[0].nonzero().flatten()
    first, last = frame * HOP - touched.min().item(), touched.max().item() - (frame + 1) * HOP + 1
    assert 0 < min(first, last) and max(first, last) <= classifier.receptive_field
    assert abs(first - last) <= 2, "it looks as far ahead as back"
    assert max(first, last) >= classifier.receptive_field - 2 * HOP


def test_a_batch_is_classified_as_its_members_are():
    classifier = small()
    waveform = 0.1 * torch.randn(3, 20 * HOP, dtype=torch.float64)
    alone = torch.cat([classifier(row[None]) for row in waveform])
    torch.testing.assert_close(classifier(waveform), alone)


@pytest.mark.cpu("calls a helper of constructors, which makes CPU tensors")
def test_a_pair_of_filters_hears_the_power_of_its_band_and_no_phase():
    pairs = gabor_pairs(16, 256, SAMPLE_RATE)[:, 0].double()
    sines, cosines = pairs[:16], pairs[16:]
    t = (torch.arange(256, dtype=torch.float64) - 127.5) / SAMPLE_RATE
    for index in (5, 10):
        spectrum = torch.fft.rfft(cosines[index], n=8192).abs()
        frequency_hz = spectrum.argmax().item() * SAMPLE_RATE / 8192
        for angle in (0.0, 1.0, 2.0):
            tone = torch.cos(2 * math.pi * frequency_hz * t + angle)
            power = ((sines @ tone).square() + (cosines @ tone).square()) * 4
            assert power[index].item() == pytest.approx(1, rel=0.01) and power.argmax() == index


def test_gradients_reach_every_parameter_and_the_waveform_even_in_silence():
    classifier = small(dropout=0.5).train()
    waveform = torch.randn(2, 20 * HOP, dtype=torch.float64)
    waveform[1] = 0
    waveform.requires_grad_()
    classifier(waveform).logsumexp(1).sum().backward()
    for name, parameter in classifier.named_parameters():
        assert parameter.grad.abs().sum() > 0, name
    assert waveform.grad[0].any() and torch.isfinite(waveform.grad).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"steps_per_frame": 3}, "steps_per_frame must divide the 40 samples of a frame, got 3"),
        ({"kernel_size": 4}, "kernel_size must be odd, got 4"),
    ],
)
def test_what_cannot_be_built_is_named(options, said):
    with pytest.raises(UserError, match=said):
        small(**options)
