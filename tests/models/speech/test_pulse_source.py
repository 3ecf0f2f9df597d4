import math

import pytest
import torch

from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.pulse_source import PulseLevel, PulseSource
from wavegen.nets.conditioning import GlottalPhase

HOP = 8


@pytest.fixture
def pulses():
    torch.manual_seed(0)
    return PulseSource(
        conditioning=[GlottalPhase(hop_samples=HOP, num_harmonics=3)], hidden_channels=8
    ).double()


@pytest.fixture
def context():
    return SpeechContext(
        cycles=(0.4 * torch.arange(12, dtype=torch.float64) + 0.1).expand(2, -1),
        voiced=(torch.arange(12) % 5 > 0).double().expand(2, -1),
    )


def test_the_log_determinant_is_that_of_the_jacobian(pulses, context):
    pulses.net[-1].weight.data.mul_(20)
    x = torch.randn(2, 90, dtype=torch.float64)
    noise, log_det = pulses(x, context)
    torch.testing.assert_close(pulses.inverse(noise, context)[0], x)
    one = context.select(torch.tensor([0]))
    jacobian = torch.autograd.functional.jacobian(lambda value: pulses(value, one)[0][0], x[:1])[:, 0]
    torch.testing.assert_close(jacobian.logdet(), log_det[0])
    assert torch.equal(jacobian, jacobian.diag().diag())


def test_shift_and_scale_follow_the_phase(pulses, context):
    """The same phase and voicing give the same values, whatever the number of cycles before."""
    later = SpeechContext(cycles=context["cycles"] + 7, voiced=context["voiced"])
    for own, other in zip(
        pulses.shift_and_log_scale(context, 96), pulses.shift_and_log_scale(later, 96), strict=True
    ):
        torch.testing.assert_close(own, other)
    shift, _ = pulses.shift_and_log_scale(context, 96)
    assert shift[0].std() > 0


def test_the_level_is_the_root_mean_square_of_the_pulses(pulses, context):
    last = pulses.net[-1]
    last.weight.data.zero_()
    last.bias.data.copy_(torch.tensor([2.0, math.log(3.0)]))
    level = PulseLevel(pulses=pulses, hop_samples=HOP)
    expected = math.sqrt(4.0 + 9.0 * math.pi**2 / 3)  # the variance of a logistic is π²/3
    x, log_det = level.inverse(torch.ones(2, 90, dtype=torch.float64), context)
    torch.testing.assert_close(x, torch.full_like(x, expected))
    assert log_det[0].item() == pytest.approx(90 * math.log(expected))
    torch.testing.assert_close(level(x, context)[0], torch.ones_like(x))


def test_the_level_is_a_mean_over_25_ms(pulses, context):
    """A pulse in one of five frames does not make the level follow the pulse."""
    pulses.net[-1].weight.data.mul_(30)
    level = PulseLevel(pulses=pulses, hop_samples=HOP).log_level(context, 96)
    shift, log_scale = pulses.shift_and_log_scale(context, 96)
    power = shift.square() + math.pi**2 / 3 * torch.exp(2 * log_scale)
    of_frames = power.unflatten(-1, (12, HOP)).mean(-1)
    between = level.unflatten(-1, (12, HOP))[:, :, HOP // 2 - 1 : HOP // 2 + 1].exp().mean(-1)
    torch.testing.assert_close(between[:, 5].square(), of_frames[:, 3:8].mean(-1), rtol=0.1, atol=0)
