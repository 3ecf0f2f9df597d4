"""The adversarial term: what critics learn, what they cannot, and which way the sample is pulled."""

import math
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from wavegen.objectives.adversarial import AdversarialLoss
from wavegen.objectives.distillation import LossWithCritic

SAMPLE_RATE = 8000


@pytest.fixture
def loss():
    term = AdversarialLoss(
        resolutions_ms=[(20, 10), (12, 6)],
        sample_rate=SAMPLE_RATE,
        channels=4,
        optimizer=partial(torch.optim.Adam, lr=1e-2),
    )
    term.fit_to_data([0.1 * torch.randn(SAMPLE_RATE)])
    return term


def noise(batch=4):
    return 0.1 * torch.randn(batch, 800)


def tones(batch=4):
    t = torch.arange(800) / SAMPLE_RATE
    phase = 2 * math.pi * torch.rand(batch, 1)
    return 0.1 * math.sqrt(2) * torch.sin(2 * math.pi * 1000 * t + phase)


def step_of(sample, recording, mask=None):
    mask = torch.ones(recording.shape, dtype=torch.bool) if mask is None else mask
    return SimpleNamespace(sample=sample, recording=recording, mask=mask)


def trained(loss, generated, real, num_steps):
    """The critics' losses while they are trained."""
    optimizer, values = loss.optimizer(loss.critic.parameters()), []
    for _ in range(num_steps):
        optimizer.zero_grad()
        value = loss.critic_loss(step_of(generated(), real()))
        value.backward()
        optimizer.step()
        values.append(value.item())
    loss.critic.requires_grad_(False)
    return values


def test_critics_learn_to_tell_noise_from_tones_and_pull_a_sample_towards_the_tones(loss):
    values = trained(loss, noise, tones, 40)
    assert values[0] > 0.5 and max(values[-5:]) < 0.1
    fooled, caught = loss(step_of(tones(), tones())).value, loss(step_of(noise(), tones())).value
    assert fooled < 0.15 and caught > 0.5
    mixture, tone = noise(), tones()
    share = torch.tensor(0.3, requires_grad=True)
    loss(step_of(mixture + share * (tone - mixture), tone)).value.backward()
    assert share.grad < 0


def test_critics_of_one_and_the_same_thing_answer_a_half(loss):
    """The losses of critics that cannot tell anything are ½ and ¼."""
    values = trained(loss, noise, noise, 60)
    assert sum(values[-20:]) / 20 == pytest.approx(0.5, abs=0.03)
    assert loss(step_of(noise(), noise())).value.item() == pytest.approx(0.25, abs=0.06)


def test_the_losses_are_those_of_least_squares(loss):
    sample, recording = noise(), tones()
    generated, real = loss.scores(sample), loss.scores(recording)
    expected = sum((one - 1).square().mean() for one in real) + sum(one.square().mean() for one in generated)
    torch.testing.assert_close(loss.critic_loss(step_of(sample, recording)), expected / 2)
    value = loss(step_of(sample, recording)).value
    torch.testing.assert_close(value, sum((other - 1).square().mean() for other in generated) / 2)


def test_critics_hear_no_phase_and_every_scored_sample_only(loss):
    sample, recording = noise(2), tones(2)
    mask = torch.zeros(recording.shape, dtype=torch.bool)
    mask[:, 100:700] = True
    before = loss.critic_loss(step_of(sample, recording, mask))
    torch.testing.assert_close(loss.critic_loss(step_of(-sample, recording, mask)), before)
    sample[:, 700:] = 7.0
    assert loss.critic_loss(step_of(sample, recording, mask)) == before


def test_gradient_is_finite_in_digital_silence(loss):
    silence = torch.zeros(2, 800, requires_grad=True)
    loss(step_of(silence, tones(2))).value.backward()
    assert torch.isfinite(silence.grad).all()


def test_it_is_a_loss_with_a_critic(loss):
    assert isinstance(loss, LossWithCritic)
    assert {name.partition(".")[0] for name, _ in loss.named_parameters()} == {"critic"}
