"""A teacher on the excitation: it starts as the source-filter model; exact masses; the step form agrees."""

import pytest
import torch

from wavegen.distributions.heads import LogisticMixtureHead, NormalHead
from wavegen.models.speech.teacher import WaveNetTeacher
from wavegen.nets.wavenet import WaveNet
from wavegen.synthesis.reference import ReferenceSampler


@pytest.fixture
def make_excited_teacher(make_source_filter):
    """``make_excited_teacher(head)``: float64, with a phase and features."""

    def build(head, **options):
        torch.manual_seed(3)
        wavenet = lambda num_parameters: WaveNet(  # noqa: E731
            num_parameters=num_parameters, dilations=[1, 2], residual_channels=4, gate_channels=8,
            skip_channels=4, output_channels=4, **options,
        )  # fmt: skip
        return WaveNetTeacher(head=head, wavenet=wavenet, source_filter=make_source_filter()).double()

    return build


def test_an_untrained_teacher_has_nearly_the_likelihood_of_the_source_filter_model(
    make_excited_teacher, speech_context
):
    teacher, context = make_excited_teacher(LogisticMixtureHead(1, -12.0)), speech_context(2, 6)
    density = teacher.conditioner.source_filter.density
    x, _ = density.rsample_with_conditionals(density.noise((2, 240)).double(), context)
    own, base = (-model.conditionals(x, context).log_prob(x).mean() for model in (teacher, density))
    assert own.item() == pytest.approx(base.item(), abs=0.1)


@pytest.mark.parametrize("head", [LogisticMixtureHead(2, -12.0), NormalHead(-12.0)])
def test_the_density_is_that_of_the_excitation_and_the_volume(make_excited_teacher, speech_context, head):
    teacher, context = make_excited_teacher(head), speech_context(2, 6)
    x = 0.1 * torch.randn(2, 240, dtype=torch.float64)
    density = teacher.conditioner.source_filter.density
    excitation, log_det = density.bijection(x, context)
    inner = head(teacher.conditioner.wavenet(excitation, context)).continuous.log_prob(excitation)
    whole = teacher.conditionals(x, context).continuous.log_prob(x)
    torch.testing.assert_close(whole.sum(-1), inner.sum(-1) + log_det)


def test_masses_of_all_values_add_up_to_one(make_excited_teacher, speech_context):
    teacher, context = make_excited_teacher(LogisticMixtureHead(2, -12.0)), speech_context(1, 2)
    x = 0.1 * torch.randn(1, 50, dtype=torch.float64)
    grid = torch.arange(-(2**15), 2**15, dtype=torch.float64) / 2**15
    masses = teacher.conditionals(x, context).log_prob(grid[:, None, None])[:, 0, 33].exp()
    assert masses.sum().item() == pytest.approx(1.0, abs=1e-9)


def test_a_sample_depends_on_its_receptive_field_only(make_excited_teacher, speech_context):
    teacher, context = make_excited_teacher(NormalHead(-12.0)), speech_context(1, 3)
    x = torch.randn(1, 100, dtype=torch.float64, requires_grad=True)
    loc = teacher.conditionals(x, context).loc
    (gradient,) = torch.autograd.grad(loc[0, 90], x)
    reached = torch.nonzero(gradient[0].abs() > 1e-12).flatten()
    assert reached.max() == 89 and reached.min() >= 90 - teacher.receptive_field


@pytest.mark.parametrize("head", [LogisticMixtureHead(2, -12.0), NormalHead(-12.0)])
def test_the_step_form_gives_the_same_parameters(make_excited_teacher, speech_context, head):
    teacher, context = make_excited_teacher(head), speech_context(2, 3)
    conditioner = teacher.conditioner
    x = 0.1 * torch.randn(2, 110, dtype=torch.float64)
    whole = conditioner(x, context)
    projected, state = conditioner.project_context(context, 110), conditioner.initial_state(2)
    previous = torch.zeros(2, dtype=torch.float64)
    for t in range(110):
        parameters, state = conditioner.step(previous, projected[..., t], state)
        torch.testing.assert_close(parameters, whole[:, t])
        previous = x[:, t]


def test_it_speaks_and_its_source_filter_model_is_frozen(make_excited_teacher, speech_context):
    teacher = make_excited_teacher(LogisticMixtureHead(2, -12.0)).float().train()
    assert not teacher.conditioner.source_filter.training and teacher.conditioner.wavenet.training
    assert not any(p.requires_grad for p in teacher.conditioner.source_filter.parameters())
    context = speech_context(1, 3).to(torch.float32)
    speech = ReferenceSampler(teacher).sample(context, torch.tensor([100]), generator=torch.Generator())
    assert speech.shape == (1, 100) and speech.isfinite().all() and speech.std() > 0
    assert float((speech * 2**15).frac().abs().max()) == 0.0
