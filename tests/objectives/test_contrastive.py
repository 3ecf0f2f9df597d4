"""The contrastive term: the divergence to the other context, its sign and its bound."""

import pytest
import torch
from torch import nn

from wavegen.distributions.heads import LogisticMixtureHead
from wavegen.distributions.logistic import Logistic
from wavegen.distributions.normal import DiscretizedNormal, Normal
from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.objectives.contrastive import ContrastiveKL, utterance_means
from wavegen.objectives.distillation import DistillationStep
from wavegen.objectives.draws import StratifiedDraws
from wavegen.objectives.gaussian_kl import RegularisedGaussianKL
from wavegen.objectives.monte_carlo_kl import MonteCarloKL

CLOSED = RegularisedGaussianKL(min_log_scale=-30.0)


class Told(nn.Module):
    """A teacher whose law is Gaussian, with the locations that its context tells and a scale of 1."""

    def conditionals(self, x, context):
        loc = context["voiced"]
        return DiscretizedNormal(loc, torch.zeros_like(loc))


class Saying:
    """A student whose law of every sample is given."""

    def __init__(self, law):
        self.law = law

    def noise(self, shape):
        return None

    def rsample_with_conditionals(self, noise, context):
        return self.law.loc, self.law


def step_of(law, told, mask=None):
    mask = torch.ones(law.loc.shape, dtype=torch.bool) if mask is None else mask
    context = SpeechContext(voiced=told)
    return DistillationStep(
        teacher=Told(), student=Saying(law), recording=law.loc.detach(), context=context, mask=mask
    )


def gaussian(*locs, samples=5):
    """A student's law of one utterance for each location, with a scale of 1."""
    loc = torch.tensor(locs, dtype=torch.float64)[:, None].expand(-1, samples).clone().requires_grad_()
    return Normal(loc, torch.zeros_like(loc).detach().requires_grad_())


def told(*locs, samples=5):
    return torch.tensor(locs, dtype=torch.float64)[:, None].expand(-1, samples)


def test_it_is_minus_the_divergence_to_the_other_context():
    """KL between unit Gaussians is half of the squared distance: 0.3 and 0.5 from the other's locations."""
    law = gaussian(0.2, 1.0)
    term = ContrastiveKL(divergence=CLOSED)(step_of(law, told(0.5, 0.7)))
    to_other = [(0.2 - 0.7) ** 2 / 2, (1.0 - 0.5) ** 2 / 2]
    to_own = [(0.2 - 0.5) ** 2 / 2, (1.0 - 0.7) ** 2 / 2]
    assert term.value.item() == pytest.approx(-sum(to_other) / 2)
    assert term.log["other_context_kl_nats"].item() == pytest.approx(sum(to_other) / 2)
    assert term.log["contrast_nats"].item() == pytest.approx((sum(to_other) - sum(to_own)) / 2)
    assert term.log["settled_share"] == 0
    sampled = ContrastiveKL(divergence=MonteCarloKL(draws=StratifiedDraws(num_draws=4000)))
    torch.testing.assert_close(
        sampled(step_of(law, told(0.5, 0.7))).value, term.value.detach(), rtol=0, atol=1e-3
    )


def test_descent_raises_the_divergence_to_the_other_context():
    law, contexts = gaussian(0.2, 1.0), told(0.5, 0.7)
    ContrastiveKL(divergence=CLOSED)(step_of(law, contexts)).value.backward()
    # KL rises away from the other's location: downwards from 0.7 and upwards from 0.5.
    torch.testing.assert_close(law.loc.grad, -torch.tensor([[-0.5], [0.5]]).double().expand(-1, 5) / 10)
    moved = Normal(law.loc.detach() - 0.1 * law.loc.grad, law.log_scale.detach())
    before, after = (
        ContrastiveKL(divergence=CLOSED)(step_of(one, contexts)).log["other_context_kl_nats"]
        for one in (law, moved)
    )
    assert after > before


def test_an_utterance_whose_contrast_is_settled_is_left_alone():
    """The first is 2 nats from the other's location and at its own, the second half a nat: a margin of 1."""
    law = gaussian(0.0, 1.0)
    contexts = torch.stack([torch.zeros(5), torch.full((5,), 2.0)]).double()
    term = ContrastiveKL(divergence=CLOSED, margin_nats=1.0)(step_of(law, contexts))
    assert term.value.item() == pytest.approx(-((0 + 1) + 0.5) / 2), (
        "own divergence and margin, and half a nat"
    )
    assert term.log["settled_share"] == 0.5
    term.value.backward()
    assert not law.loc.grad[0].any() and not law.log_scale.grad[0].any() and law.loc.grad[1].all()


@pytest.mark.parametrize("spread", [0.1, 10.0, 1e4])
def test_with_the_divergence_it_is_bounded_below(spread):
    for _ in range(20):
        loc, contexts = spread * torch.randn(2, 3, 4, dtype=torch.float64)
        law = Normal(loc, 3 * torch.randn(3, 4, dtype=torch.float64))
        step = step_of(law, contexts)
        own = utterance_means(CLOSED.per_sample(law, step.teacher_density)[0], step.mask).mean()
        other = ContrastiveKL(divergence=CLOSED, margin_nats=0.5)(step).value
        assert own + 0.3 * other >= (1 - 0.3) * own - 0.3 * 0.5 - 1e-9 * own.abs()
        assert own + 0.3 * other >= -0.3 * 0.5


def test_only_scored_samples_count_and_utterances_by_their_number():
    law = gaussian(0.2, 1.0)
    mask = torch.tensor([[True, False, False, False, False], [False, True, True, True, False]])
    contexts = told(0.5, 0.7).clone()
    contexts[0, [0, 4]] = torch.nan  # the second is scored against it in the middle only
    contexts[1, 1:] = torch.nan
    contexts[0, 0], contexts[1, 1:4] = 0.5, 0.7
    term = ContrastiveKL(divergence=CLOSED)(step_of(law, contexts, mask))
    assert term.value.item() == pytest.approx(-(0.5**2 / 2 + 3 * 0.5**2 / 2) / 4)
    empty = ContrastiveKL(divergence=CLOSED)(step_of(law, contexts, mask & False))
    assert empty.value == 0


def test_it_needs_a_context():
    step = DistillationStep(
        teacher=Told(), student=Saying(gaussian(0.0)), recording=torch.zeros(1, 5), context=None, mask=None
    )
    with pytest.raises(UserError, match="needs the context of another utterance"):
        ContrastiveKL(divergence=CLOSED)(step)


def test_gradient_of_models_is_that_of_finite_differences(make_teacher, make_student, make_context):
    """Through the sample on which the teacher is conditioned as well as through the draws."""
    teacher = make_teacher(LogisticMixtureHead(3, -9.0)).requires_grad_(False)
    student, context = make_student(Logistic), make_context(2, 4)
    noise, size = student.noise((2, 16)), 1e-6
    term = ContrastiveKL(divergence=MonteCarloKL(draws=StratifiedDraws(num_draws=4)), margin_nats=1e9)

    def value():
        torch.manual_seed(5)
        mask = torch.arange(16).expand_as(noise) >= 3
        recording = torch.zeros_like(noise)
        step = DistillationStep(
            teacher=teacher, student=student, recording=recording, context=context, mask=mask, noise=noise
        )
        return term(step).value

    value().backward()
    for name, parameter in student.named_parameters():
        direction, values = torch.randn_like(parameter), []
        with torch.no_grad():
            for sign in (1, -1):
                parameter.add_(sign * size * direction)
                values.append(value())
                parameter.sub_(sign * size * direction)
        numeric = (values[0] - values[1]) / (2 * size)
        analytic = (parameter.grad * direction).sum()
        torch.testing.assert_close(analytic, numeric, rtol=1e-5, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}")
