import pytest
import torch

from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.pulse_source import PulseSource
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
