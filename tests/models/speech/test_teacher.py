"""The teacher: its start, its receptive field, its presets."""

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from wavegen.cli.composition import compose_config
from wavegen.distributions.heads import LogisticMixtureHead, MuLawHead, NormalHead
from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.teacher import WaveNetTeacher
from wavegen.nets.wavenet import WaveNet
from wavegen.objectives.likelihood import negative_log_likelihood
from wavegen.resources import resource_directory
from wavegen.runs.weights import build_model

HEADS = [LogisticMixtureHead(4, -9.0, initial_log_scale=-3.0), NormalHead(-9.0), MuLawHead(32)]


def configured(teacher, sample_rate=16000):
    voice = [f"voice.sample_rate={sample_rate}", f"voice.hop_samples={sample_rate // 200}"]
    overrides = [f"teacher={teacher}", *voice, "voice.num_features=7"]
    config = compose_config("teacher", overrides, configs=resource_directory("configs"))
    return OmegaConf.to_container(config.teacher, resolve=True)


def process(num_samples):
    """A second-order autoregressive process on the 16-bit grid, near the level of speech."""
    noise = 0.01 * np.random.default_rng(0).normal(size=num_samples)
    x = np.zeros(num_samples)
    for t in range(2, num_samples):
        x[t] = 1.6 * x[t - 1] - 0.8 * x[t - 2] + noise[t]
    return np.round(x * 32768) / 32768


def wavenet(num_parameters):
    return WaveNet(num_parameters=num_parameters, dilations=[1, 2, 4, 8])


@pytest.mark.cpu("calls a helper of constructors, which makes CPU tensors")
@pytest.mark.parametrize("head", HEADS, ids=lambda head: type(head).__name__)
def test_the_first_distribution_is_near_the_heads_own(head):
    teacher = WaveNetTeacher(head=head, wavenet=wavenet)
    waveform = torch.from_numpy(process(2000)).float()[None]
    with torch.no_grad():
        log_prob = teacher.conditionals(waveform).log_prob(waveform)
        own = head(head.initial_bias()).log_prob(waveform)
    torch.testing.assert_close(log_prob, own, rtol=0, atol=0.5)
    assert (log_prob - own).abs().mean() < 0.1


def test_the_linear_predictor_starts_from_the_recordings():
    head = NormalHead(-9.0, initial_log_scale=-4.5)
    teacher = WaveNetTeacher(head=head, wavenet=wavenet, linear_prediction_order=8)
    waveform = torch.from_numpy(process(4000)).float()[None]
    mask = torch.ones_like(waveform, dtype=torch.bool)
    before = negative_log_likelihood(teacher, waveform, None, mask)
    teacher.fit_to_data([process(20_000)])
    after = negative_log_likelihood(teacher, waveform, None, mask)
    assert after < before - 0.3
    assert teacher.conditioner.taps.detach()[-2:].tolist() == pytest.approx([-0.8, 1.6], abs=0.05)


def test_a_plain_teacher_has_nothing_to_fit(make_teacher):
    teacher = make_teacher(HEADS[0])
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    teacher.fit_to_data([process(100)])
    assert all(torch.equal(tensor, before[name]) for name, tensor in teacher.state_dict().items())


def test_a_linear_predictor_needs_locations():
    with pytest.raises(UserError, match="must be 0 for MuLawHead, which has no location parameters, got 8"):
        WaveNetTeacher(head=MuLawHead(32), wavenet=wavenet, linear_prediction_order=8)


@pytest.mark.parametrize("order", [0, 5])
def test_gradients_reach_exactly_the_receptive_field(make_teacher, make_context, order):
    teacher = make_teacher(HEADS[0], linear_prediction_order=order)
    assert teacher.receptive_field == max(4, order)
    x = torch.randn(1, 20, dtype=torch.float64, requires_grad=True)
    (loc,) = torch.autograd.grad(
        teacher.conditionals(x, make_context(1, 5)).continuous.log_prob(x.detach())[0, 12], x
    )
    touched = loc[0].nonzero().squeeze(-1)
    assert (touched.min(), touched.max()) == (12 - teacher.receptive_field, 11)


@pytest.mark.parametrize("head", HEADS, ids=lambda head: type(head).__name__)
def test_unequal_lengths_in_a_batch_score_as_alone(make_teacher, head):
    order = 0 if isinstance(head, MuLawHead) else 3
    teacher = make_teacher(head, linear_prediction_order=order)
    contexts = [SpeechContext(features=torch.randn(3, frames, dtype=torch.float64)) for frames in (3, 6, 5)]
    lengths = torch.tensor([12, 24, 18])  # the last ends within a frame
    x = torch.round(3000 * torch.randn(3, 24, dtype=torch.float64)) / 32768
    together = teacher(SpeechContext.collate(contexts), lengths).log_prob(x)
    for row, (context, length) in enumerate(zip(contexts, lengths.tolist(), strict=True)):
        alone = teacher(SpeechContext.collate([context])).log_prob(x[row, None, :length])
        torch.testing.assert_close(together[row], alone[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name, receptive_field", [("original", 3070), ("tiny", 255), ("small", 1023)])
def test_receptive_fields_of_the_presets(name, receptive_field):
    assert build_model(configured(name), source="test").receptive_field == receptive_field


@pytest.mark.slow
def test_the_papers_teacher_steps_at_batch_one():
    teacher = build_model(configured("paper", sample_rate=24000), source="test")
    assert teacher.receptive_field == 6139
    assert len(teacher.conditioner.layers) == 30
    layer = teacher.conditioner.layers[0]
    assert layer.dilated.weight.shape == (512, 512, 3)
    assert layer.output.weight.shape == (512 + 256, 256, 1)
    assert teacher.head.num_parameters == 30
    context = SpeechContext(
        features=torch.randn(1, 7, 10),
        cycles=torch.rand(1, 10).cumsum(-1),
        voiced=torch.ones(1, 10),
    )
    waveform = torch.from_numpy(process(1200)).float()[None]
    mask = torch.ones_like(waveform, dtype=torch.bool)
    optimizer = torch.optim.Adam(teacher.parameters(), lr=1e-5)
    losses = []
    for _ in range(2):
        optimizer.zero_grad()
        loss = negative_log_likelihood(teacher, waveform, context, mask)
        loss.backward()
        assert all(torch.isfinite(p.grad).all() for p in teacher.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]
