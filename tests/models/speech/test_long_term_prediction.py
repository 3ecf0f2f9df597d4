import functools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.long_term_prediction import LONGEST_FRAMES, LongTermPrediction
from wavegen.nets.frame_net import FrameNet

HOP = 40


class Constant(torch.nn.Module):
    """The same raw taps in every frame."""

    def __init__(self, num_parameters, raw):
        super().__init__()
        assert num_parameters == len(raw)
        self.raw = torch.tensor(raw, dtype=torch.float64)

    def forward(self, context):
        return self.raw.expand(*context["voiced"].shape, -1)


def context(cycles, voiced=None):
    cycles = torch.as_tensor(cycles, dtype=torch.float64)[None]
    return SpeechContext(cycles=cycles, voiced=torch.ones_like(cycles) if voiced is None else voiced[None])


def build(raw):
    return LongTermPrediction(
        parameters=functools.partial(Constant, raw=raw), hop_samples=HOP, reach=len(raw) // 2
    )


def steady(period, frames=20):
    """Cycles at the centres of frames for a period in samples."""
    return (torch.arange(frames, dtype=torch.float64) + 0.5) * HOP / period


@pytest.mark.parametrize("period", [60.0, 73.25, 100.5])
def test_lags_are_a_period_wherever_there_is_a_previous_cycle(period):
    lags = build([0.0] * 5).lags(context(steady(period)), 800)
    used = lags.whole[0] > 0
    # Constant before the first frame's centre: the phase stands still there.
    assert used[round(period) + HOP :].all() and not used[: int(period)].any()
    length = (lags.whole - lags.fraction)[0, round(period) + HOP :]
    torch.testing.assert_close(length[:-HOP], torch.full_like(length[:-HOP], period), atol=1e-6, rtol=0)


def test_cycles_that_are_too_long_too_short_or_unvoiced_are_not_predicted():
    assert not build([0.0] * 5).lags(context(steady(LONGEST_FRAMES * HOP + 3.0)), 800).whole.any()
    # Beyond the centre of the last frame the phase stands still.
    assert not build([0.0] * 5).lags(context(steady(2.9)), 780).whole.any()
    assert build([0.0] * 5).lags(context(steady(3.5)), 780).whole.any()
    voiced = torch.ones(20, dtype=torch.float64)
    voiced[5:9] = 0
    taps = build([0.1, 0.5, 0.1]).taps(context(steady(60.0), voiced))
    assert not taps[0, 5:9].any() and taps[0, :5].all() and taps[0, 9:].all()


def test_a_periodic_signal_of_any_period_is_predicted():
    """One tap on the interpolated previous cycle leaves nearly 1 − 0.98 of a slow sinusoid."""
    period = 73.25
    t = torch.arange(800, dtype=torch.float64)
    x = torch.sin(2 * torch.pi * t / period)[None]
    residual, log_scale = build([1e6]).normalise(x, context(steady(period)))
    assert residual[0, 150:740].abs().max() < 0.023
    assert not log_scale.any()


def test_the_inverse_repeats_a_pulse_at_whole_cycles():
    pulse = torch.zeros(1, 800, dtype=torch.float64)
    pulse[0, 120] = 1.0
    x, _ = build([1.0]).generate(pulse, context(steady(80.0)))
    wanted = 0.49 ** torch.arange(1, 6, dtype=torch.float64)
    torch.testing.assert_close(x[0, 200::80][:5], wanted, atol=1e-5, rtol=0)
    assert (x.abs() > 1e-5).sum() == 9


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 10_000), reach=st.integers(0, 3), time=st.integers(1, 400), frames=st.integers(10, 12)
)
def test_it_is_a_causal_bijection_of_unit_volume(seed, reach, time, frames):
    torch.manual_seed(seed)
    net = functools.partial(FrameNet, in_channels=3, hidden_channels=4, kernel_size=3, output_gain=3.0)
    prediction = LongTermPrediction(parameters=net, hop_samples=HOP, reach=reach).double()
    given_context = SpeechContext(
        features=torch.randn(2, 3, frames, dtype=torch.float64),
        cycles=torch.rand(2, frames, dtype=torch.float64).cumsum(-1),
        voiced=(torch.rand(2, frames) > 0.2).double(),
    )
    x = torch.randn(2, time, dtype=torch.float64)
    z, log_scale = prediction.normalise(x, given_context)
    torch.testing.assert_close(prediction.generate(z, given_context)[0], x)
    assert not log_scale.any()
    taps = prediction.taps(given_context)
    assert float(taps.detach().abs().sum(-1).max()) < 0.98


def test_the_jacobian_is_unit_triangular_in_both_directions():
    torch.manual_seed(0)
    prediction, given_context = build([0.3, -0.8, 0.4]), context(steady(9.0, 3))
    z = torch.randn(1, 100, dtype=torch.float64)
    jacobians = []
    for function in (prediction.normalise, prediction.generate):
        jacobian = torch.autograd.functional.jacobian(lambda value, f=function: f(value, given_context)[0], z)
        jacobians.append(jacobian[0, :, 0])
        assert torch.equal(jacobians[-1].triu(), torch.eye(100, dtype=torch.float64))
        assert jacobians[-1].tril(-1).any()
    torch.testing.assert_close(jacobians[0] @ jacobians[1], torch.eye(100, dtype=torch.float64))


def test_gradients_reach_the_taps():
    torch.manual_seed(0)
    net = functools.partial(FrameNet, in_channels=2, hidden_channels=4, kernel_size=1)
    prediction = LongTermPrediction(parameters=net, hop_samples=HOP, reach=1).double()
    frames = context(steady(50.0, 8))
    given_context = SpeechContext(
        features=torch.randn(1, 2, 8, dtype=torch.float64), cycles=frames["cycles"], voiced=frames["voiced"]
    )
    x = torch.randn(1, 320, dtype=torch.float64)
    for function in (prediction.normalise, prediction.generate):
        function(x, given_context)[0].square().sum().backward()
        assert prediction.parameter_source.last.weight.grad.abs().sum() > 0
        prediction.zero_grad()


def test_a_negative_reach_is_refused():
    with pytest.raises(UserError, match="a reach of at least 0, got -1"):
        LongTermPrediction(parameters=Constant, hop_samples=HOP, reach=-1)
