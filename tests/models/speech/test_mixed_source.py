"""Harmonics and noise: a bijection of unit power whose periodic part is at the phase that it is given."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from scipy.signal import lfilter, welch
from torch import nn

from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.mixed_source import MixedSource

HOP, BANDS = 80, 5


class Fixed(nn.Module):
    """The same logits of shares and the same level in every frame."""

    def __init__(self, num_parameters, logits, log_level):
        super().__init__()
        values = torch.as_tensor(logits, dtype=torch.float64).expand(num_parameters - 1)
        self.logits = nn.Parameter(values.clone())
        self.log_level = log_level

    def forward(self, context):
        parameters = torch.cat([self.logits, self.logits.new_full((1,), self.log_level)])
        return parameters.expand(*context["voiced"].shape, -1)


def source(logits=0.0, log_level=0.0, **options):
    options = {"num_bands": BANDS, "hop_samples": HOP, "initial_share": 0.5} | options
    return MixedSource(parameters=partial(Fixed, logits=logits, log_level=log_level), **options)


def spoken(num_frames, f0_hz=100.0, voiced=1.0, batch=1):
    """At a constant pitch; frame centres are 5 ms apart."""
    cycles = (torch.arange(num_frames, dtype=torch.float64) + 0.5) * f0_hz / 200
    return SpeechContext(
        cycles=cycles.expand(batch, -1),
        voiced=torch.full((batch, num_frames), voiced, dtype=torch.float64),
    )


def spectrum_db(waveform):
    """Power spectrum in dB, per 62.5 Hz, of the middle of a waveform; white noise of power 1 is flat at 0."""
    frequency_hz, power = welch(waveform.detach()[800:-800].numpy(), 16000, nperseg=256, scaling="density")
    return frequency_hz, 10 * np.log10(power * 8000)


def test_all_noise_is_the_noise_itself():
    noise = torch.randn(1, 20 * HOP, dtype=torch.float64)
    for context, logits in ((spoken(20), 40.0), (spoken(20, voiced=0.0), -40.0)):
        x, log_det = source(logits).inverse(noise, context)
        torch.testing.assert_close(x, noise, atol=1e-3, rtol=0)
        assert log_det.abs().item() < 20 * HOP * 1e-4


def test_harmonics_peak_at_whole_cycles_with_the_period_of_the_voice():
    x, _ = source(-40.0).inverse(torch.zeros(1, 40 * HOP, dtype=torch.float64), spoken(40))
    x = x[0].detach()
    # at 100 Hz and 16 kHz a period is 160 samples, and a sample's time is that of its middle
    torch.testing.assert_close(x[400:2400], x[560:2560], atol=1e-9, rtol=0)
    assert {int(t) % 160 for t in torch.nonzero(x > 0.8 * x.max()).flatten()} <= {158, 159, 0, 1}
    assert x.square()[800:2400].mean().item() == pytest.approx(1.0, abs=0.02)


def test_pulses_have_the_polarity_of_the_recordings():
    """Closures of a recording whose signal was inverted are negative peaks."""
    mixed, silent = source(-40.0), torch.zeros(1, 40 * HOP, dtype=torch.float64)
    upright, _ = mixed.inverse(silent, spoken(40))
    pulses = np.zeros(16000)
    pulses[::160] = 1.0
    recording = lfilter([1], [1, -0.9], pulses)
    mixed.fit_to_data([recording])
    torch.testing.assert_close(mixed.inverse(silent, spoken(40))[0], upright)
    mixed.fit_to_data([-recording])
    inverted, _ = mixed.inverse(silent, spoken(40))
    torch.testing.assert_close(inverted, -upright)
    assert "polarity" in mixed.state_dict()
    x = torch.randn(1, 40 * HOP, dtype=torch.float64)
    torch.testing.assert_close(mixed.inverse(mixed(x, spoken(40))[0], spoken(40))[0], x)


@pytest.mark.parametrize("logits", [-40.0, 0.0, 2.0, [-4.0, -2.0, 0.0, 2.0, 4.0], [4.0, 0.0, -3.0, 0.0, 3.0]])
def test_the_spectrum_is_flat_whatever_the_shares(logits):
    torch.manual_seed(0)
    x, _ = source(logits, noise_order=10).inverse(torch.randn(1, 4000 * HOP).double(), spoken(4000, 125.0))
    frequency_hz, power_db = spectrum_db(x[0])
    whole = x[0, 800:-800].square().mean().item()
    assert whole == pytest.approx(1.0, abs=0.03)
    octaves = [(100, 500), (500, 1000), (1000, 2000), (2000, 4000), (4000, 7500)]
    for low, high in octaves:
        inside = (frequency_hz > low) & (frequency_hz < high)
        assert 10 * np.log10((10 ** (power_db[inside] / 10)).mean()) == pytest.approx(0, abs=0.8), (low, high)


def test_the_noise_has_the_shares_of_its_bands():
    torch.manual_seed(0)
    mixed = source([-2.0, -1.0, 0.0, 1.0, 2.0], noise_order=10)
    context = spoken(4000)
    noise = torch.randn(1, 4000 * HOP, dtype=torch.float64)
    x, _ = mixed.inverse(noise, context)
    silent, _ = mixed.inverse(torch.zeros_like(noise), context)
    frequency_hz, power_db = spectrum_db((x - silent)[0].detach())
    share = np.interp(frequency_hz, np.linspace(0, 8000, 5), 1 / (1 + np.exp([2.0, 1.0, 0.0, -1.0, -2.0])))
    middle = (frequency_hz > 300) & (frequency_hz < 7700)
    np.testing.assert_allclose(power_db[middle], 10 * np.log10(share[middle]), atol=1.0)


def test_the_level_multiplies_everything():
    noise = torch.randn(1, 20 * HOP, dtype=torch.float64)
    plain, log_det = source(-1.0).inverse(noise, spoken(20))
    loud, louder = source(-1.0, log_level=0.7).inverse(noise, spoken(20))
    torch.testing.assert_close(loud, plain * math.exp(0.7))
    torch.testing.assert_close(louder, log_det + 0.7 * 20 * HOP)


def test_it_is_a_bijection_whose_scales_are_the_noise_s_gains():
    torch.manual_seed(0)
    mixed, context = source([-2.0, 1.0, 0.0, 1.0, -1.0], hop_samples=8), spoken(6, batch=2)
    noise = torch.randn(2, 45, dtype=torch.float64)
    x, log_scale = mixed.generate(noise, context)
    again, same = mixed.normalise(x, context)
    torch.testing.assert_close(again, noise)
    torch.testing.assert_close(same, log_scale)
    single = spoken(6)
    jacobian = torch.autograd.functional.jacobian(lambda z: mixed.generate(z, single)[0][0], noise[:1])[:, 0]
    assert torch.equal(jacobian.triu(1), torch.zeros_like(jacobian))
    torch.testing.assert_close(jacobian.diagonal().log(), log_scale[0])


def test_gradients_reach_the_shares():
    mixed, context = source([-1.0, 0.0, 0.5, 1.0, 0.0], hop_samples=4), spoken(5)
    noise = torch.randn(1, 20, dtype=torch.float64)

    def wave(logits):
        mixed.parameter_source.logits.data = logits
        return torch.func.functional_call(mixed, {"parameter_source.logits": logits}, (noise, context))[0]

    assert torch.autograd.gradcheck(wave, (mixed.parameter_source.logits.detach().clone().requires_grad_(),))


def test_no_harmonic_is_above_half_the_sample_rate():
    """At 8 kHz a voice of 390 Hz has ten harmonics; an eleventh at 4290 Hz would be heard at 3710 Hz."""
    num_frames = 400
    context = spoken(num_frames, f0_hz=390.0)
    x, _ = source(-40.0, hop_samples=40).inverse(torch.zeros(1, num_frames * 40).double(), context)
    power = torch.fft.rfft(x[0, 4000:12000] * torch.hann_window(8000, dtype=torch.float64)).abs().square()
    is_harmonic = torch.zeros(len(power), dtype=torch.bool)
    for k in range(1, 11):
        is_harmonic[390 * k - 5 : 390 * k + 6] = True
    assert power[~is_harmonic].sum() < 1e-6 * power.sum()


@pytest.mark.parametrize("options", [{"num_bands": 1}, {"initial_share": 0.0}, {"initial_share": 1.0}])
def test_settings_without_a_source_are_refused(options):
    with pytest.raises(UserError, match="at least 2 num_bands and an initial_share between 0 and 1, got"):
        source(**options)
