"""The student: totals over its flows, its start, what it depends on."""

import math

import pytest
import torch

from wavegen.cli.composition import compose_config
from wavegen.distributions.logistic import Logistic
from wavegen.distributions.normal import Normal
from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.source_filter import SourceFilter
from wavegen.models.speech.student import WaveNetStudent
from wavegen.nets.conditioning import Conditioning, FrameConditioning
from wavegen.nets.wavenet import WaveNet
from wavegen.resources import resource_directory
from wavegen.runs.weights import build_model

VOICE = ["voice.sample_rate=8000", "voice.hop_samples=40", "voice.num_features=7"]


def configured(student):
    from omegaconf import OmegaConf

    config = compose_config("distill", [f"student={student}", *VOICE], configs=resource_directory("configs"))
    return OmegaConf.to_container(config.student, resolve=True)


def speech_context(batch, frames):
    """All that the configured conditioning asks for."""
    return SpeechContext(
        features=torch.randn(batch, 7, frames),
        cycles=torch.rand(batch, frames).cumsum(-1),
        voiced=(torch.rand(batch, frames) > 0.4).float(),
    )


@pytest.mark.parametrize("num_flows", [1, 2, 4])
def test_totals_are_the_sequential_composition(make_student, make_context, num_flows):
    student, context = make_student(num_flows=num_flows), make_context(3, 5)
    noise = student.noise((3, 20))
    x, conditionals = student.rsample_with_conditionals(noise, context)
    composed, log_det = student.bijection.inverse(noise, context)
    torch.testing.assert_close(x, composed, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(conditionals.log_scale.sum(-1), log_det, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(conditionals.loc + conditionals.scale * noise, x, rtol=1e-12, atol=1e-12)
    assert student.num_flows == num_flows


def test_given_the_noise_before_it_a_sample_is_affine_in_its_own(make_student, make_context):
    student, context = make_student(), make_context(1, 3)
    noise = student.noise((1, 12))
    _, before = student.rsample_with_conditionals(noise, context)
    noise[0, 7] = 2.5
    x, after = student.rsample_with_conditionals(noise, context)
    torch.testing.assert_close(x[0, 7], before.loc[0, 7] + 2.5 * before.scale[0, 7])
    assert torch.equal(before.loc[0, :8], after.loc[0, :8])
    assert not torch.isclose(before.loc[0, 8:10], after.loc[0, 8:10]).any()


def test_noise_returns_by_inversion(make_student, make_context):
    student, context = make_student(num_flows=3), make_context(2, 4)
    noise = student.noise((2, 16))
    x, _ = student.rsample_with_conditionals(noise, context)
    z, _ = student.bijection.forward(x, context)
    torch.testing.assert_close(z, noise, rtol=1e-9, atol=1e-9)


def test_gradients_reach_exactly_the_receptive_field(make_student, make_context):
    student, context = make_student(num_flows=3), make_context(1, 10)
    noise = student.noise((1, 40)).requires_grad_()
    x, conditionals = student.rsample_with_conditionals(noise, context)
    for value, last in ((x, 30), (conditionals.loc, 29), (conditionals.log_scale, 29)):
        (gradient,) = torch.autograd.grad(value[0, 30], noise, retain_graph=True)
        touched = gradient[0].nonzero().squeeze(-1)
        assert touched.max() == last
        assert touched.min() == 30 - student.receptive_field


@pytest.mark.parametrize("name, receptive_field", [("paper", 3 * 2047 + 6139), ("small", 3 * 2047 + 4093)])
def test_receptive_fields_of_the_presets(name, receptive_field):
    student = build_model(configured(name), source="test")
    assert student.receptive_field == receptive_field
    layers = [len(step.conditioner.layers) for step in student.steps]
    assert layers[:3] == [10, 10, 10] and student.num_flows == 4


@pytest.mark.parametrize("name, family", [("tiny", Logistic), ("gaussian", Normal)])
def test_an_untrained_student_has_its_initial_scale(name, family):
    config = configured(name)
    student = build_model(config, source="test")
    context = speech_context(2, 20)
    noise = student.noise((2, 800))
    with torch.no_grad():
        x, conditionals = student.rsample_with_conditionals(noise, context)
    assert isinstance(conditionals, family)
    assert conditionals.log_scale.mean().exp().item() == pytest.approx(config["initial_scale"], rel=0.3)
    assert conditionals.loc.abs().max() < 0.1
    assert x.std().item() == pytest.approx(config["initial_scale"] * noise.std().item(), rel=0.3)


def test_noise_is_the_familys_and_follows_the_generator(make_student):
    for family, deviation in ((Logistic, math.pi / math.sqrt(3)), (Normal, 1.0)):
        student = make_student(family)
        noise = student.noise((100_000,), torch.Generator().manual_seed(3))
        assert noise.std().item() == pytest.approx(deviation, rel=0.02)
        assert torch.isfinite(noise).all()
        assert torch.equal(noise, student.noise((100_000,), torch.Generator().manual_seed(3)))
        assert not torch.equal(noise, student.noise((100_000,), torch.Generator().manual_seed(4)))


def test_the_density_is_over_as_many_samples_as_the_frames_hold(make_student, make_context):
    student = make_student()
    distribution = student(make_context(3, 5))
    assert distribution.batch_shape == (3,) and distribution.event_shape == (20,)
    x, log_prob = distribution.rsample_and_log_prob()
    torch.testing.assert_close(distribution.log_prob(x), log_prob, rtol=1e-9, atol=1e-9)


def test_conditioning_is_adopted_where_names_and_shapes_agree(make_student):
    student = make_student(num_flows=2)
    source = Conditioning(
        [FrameConditioning(in_channels=3, channels=2, hidden_channels=4, hop_samples=4)]
    ).double()
    copied = student.adopt_conditioning(source)
    state = source.state_dict()
    assert copied == 2 * len(state)
    for step in student.steps:
        for name, tensor in step.conditioner.conditioning.state_dict().items():
            assert torch.equal(tensor, state[name])
    wider = Conditioning([FrameConditioning(in_channels=3, channels=2, hidden_channels=5, hop_samples=4)])
    assert student.adopt_conditioning(wider.double()) == 4, "upsampling and last bias, per flow"
    with torch.no_grad():
        state["parts.0.upsampling.weight"].zero_()
    upsampling = student.steps[0].conditioner.conditioning.parts[0].upsampling.weight
    assert upsampling.abs().sum() > 0, "a copy, not the same memory"


def test_unequal_lengths_in_a_batch_score_as_alone(make_student):
    student, hop = make_student(), 4
    contexts = [SpeechContext(features=torch.randn(3, frames, dtype=torch.float64)) for frames in (3, 6)]
    noise = student.noise((2, 6 * hop))
    x, together = student.rsample_with_conditionals(noise, SpeechContext.collate(contexts))
    for row, context in enumerate(contexts):
        samples = hop * context["features"].shape[-1]
        context = SpeechContext.collate([context])
        alone, law = student.rsample_with_conditionals(noise[row, None, :samples], context)
        torch.testing.assert_close(x[row, None, :samples], alone, rtol=1e-12, atol=1e-12)
        log_prob = together.log_prob(x)[row, :samples].sum()
        torch.testing.assert_close(log_prob[None], law.log_prob(alone).sum(-1))
        torch.testing.assert_close(log_prob[None], student(context).log_prob(alone))


# With a source-filter model behind the flows.


@pytest.fixture
def excited_student(make_source_filter):
    def wavenet(num_parameters):
        return WaveNet(
            num_parameters=num_parameters,
            dilations=[1, 2],
            residual_channels=4,
            gate_channels=8,
            skip_channels=0,
            output_channels=4,
        )

    torch.manual_seed(4)
    model = make_source_filter()
    return WaveNetStudent(
        wavenets=[wavenet, wavenet], family=Logistic, hop_samples=40, voice=[model.filter, model.mixture]
    ).double()


def test_an_untrained_student_speaks_as_the_source_filter_model(
    excited_student, make_source_filter, speech_context
):
    for step in excited_student.steps:
        step.conditioner.output[-1].weight.data.zero_()
    voice = SourceFilter.voice.fget(make_source_filter())
    voice.load_state_dict({f"bijection.{name}": t for name, t in excited_student.voice.state_dict().items()})
    noise, context = excited_student.noise((2, 230)).double(), speech_context(2, 6)
    assert (noise / noise.std()).std() == pytest.approx(1.0)
    ours, _ = excited_student.rsample_with_conditionals(noise, context)
    theirs, _ = voice.rsample_with_conditionals(noise * math.sqrt(3) / math.pi, context)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-8)


def test_with_a_voice_totals_are_those_of_the_whole_bijection(excited_student, speech_context):
    noise, context = excited_student.noise((2, 230)).double(), speech_context(2, 6)
    x, conditionals = excited_student.rsample_with_conditionals(noise, context)
    composed, log_det = excited_student.bijection.inverse(noise, context)
    torch.testing.assert_close(x, composed)
    torch.testing.assert_close(conditionals.log_scale.sum(-1), log_det)
    torch.testing.assert_close(conditionals.loc + conditionals.scale * noise, x)
    changed = noise.clone()
    changed[:, 100:] = 0.0
    _, other = excited_student.rsample_with_conditionals(changed, context)
    torch.testing.assert_close(conditionals.loc[:, :101], other.loc[:, :101])


def test_the_voice_is_frozen(excited_student):
    assert excited_student.num_flows == len(excited_student.steps) == 2
    excited_student.train()
    assert not excited_student.voice.training and excited_student.steps[0].conditioner.training
    assert not any(parameter.requires_grad for parameter in excited_student.voice.parameters())
    assert any(parameter.requires_grad for parameter in excited_student.parameters())


def test_the_divergence_does_not_change_by_a_shared_filter(make_source_filter, speech_context):
    """KL of two flows over one filter is that of their excitations: the filter's volume cancels."""
    filter, context = make_source_filter().filter, speech_context(2, 6)
    excitation = torch.randn(2, 240, dtype=torch.float64)
    loc, log_scale = torch.randn(2, 2, 240, dtype=torch.float64).unbind(0)
    inner = Logistic(loc, log_scale).log_prob(excitation) - Logistic(0 * loc, 0 * loc).log_prob(excitation)
    x, log_gain = filter.generate(excitation, context)
    prediction = x - log_gain.exp() * excitation
    outer = [
        Logistic(prediction + log_gain.exp() * own, log_gain + scale).log_prob(x)
        for own, scale in ((loc, log_scale), (0 * loc, 0 * loc))
    ]
    torch.testing.assert_close(outer[0] - outer[1], inner)
