"""What the training of a source-filter model minimises, and which parts each cost reaches."""

import math

import pytest
import torch
from torch import nn

from wavegen.data.speech.segments import Batch
from wavegen.errors import UserError
from wavegen.objectives.distillation import WeightedTerm
from wavegen.training.budget import Budget
from wavegen.training.source_filter import SourceFilterTraining


class MeanPower(nn.Module):
    """A distance that is easily computed again."""

    def distance(self, sample, recording):
        return sample.square().mean() - recording.square().mean()


class MaskedLevel(nn.Module):
    """A loss of the residual that is easily computed again."""

    def forward(self, residual, mask):
        return residual[mask].abs().mean()


class Recorded(SourceFilterTraining):
    """Keeps what goes into the log."""

    def log_all(self, stage, values, batch_size):
        self.values = {f"{stage}/{name}": value.item() for name, value in values.items()}

    def log(self, *_, **__):
        pass


@pytest.fixture
def training(make_source_filter):
    residual_losses = nn.ModuleDict({"level": WeightedTerm(loss=MaskedLevel(), weight=2.0)})
    distances = nn.ModuleDict({"power": WeightedTerm(loss=MeanPower(), weight=3.0)})
    return Recorded(
        model=make_source_filter().float(),
        residual_losses=residual_losses,
        distances=distances,
        voice_segments=2,
        optimizer=torch.optim.Adam,
        budget=Budget(max_steps=5),
    )


@pytest.fixture
def batch(speech_context):
    waveform = 0.1 * torch.randn(3, 240)
    mask = torch.arange(240).expand(3, 240) >= 40
    return Batch(waveform, speech_context(3, 9).to(torch.float32), mask)


def gains(filter, batch):
    """g of every sample."""
    log_gain = filter.coefficients(batch.context)[1].repeat_interleave(filter.hop_samples, -1)
    return log_gain[:, : batch.waveform.shape[1]].exp()


def test_the_loss_is_the_likelihood_and_the_weighted_losses_and_distances(training, batch):
    torch.manual_seed(5)
    loss = training.training_step(batch, 0)
    conditionals = training.model.density.conditionals(batch.waveform, batch.context)
    nats = -conditionals.log_prob(batch.waveform)[batch.mask].mean()
    torch.manual_seed(5)
    voice, context = training.model.voice, batch.context.select(torch.tensor([0, 1]))
    sample, _ = voice.rsample_with_conditionals(voice.noise((2, 240)), context)
    power = sample[:, 40:].square().mean() - batch.waveform[:2, 40:].square().mean()
    filter = training.model.filter
    residual = filter.normalise(batch.waveform, batch.context)[0] * gains(filter, batch)
    level = residual[batch.mask].abs().mean()
    torch.testing.assert_close(loss, nats + 3.0 * power + 2.0 * level)
    assert training.values["train/level"] == pytest.approx(level.item(), rel=1e-5)
    assert training.values["train/power"] == pytest.approx(power.item(), rel=1e-5)
    assert training.values["train/bits_per_sample"] == pytest.approx(nats.item() / 0.6931472, rel=1e-5)


def test_a_validation_gives_the_cost_by_which_weights_are_selected(training, batch):
    torch.manual_seed(5)
    loss = training.training_step(batch, 0)
    torch.manual_seed(5)
    result = training.validation_step(batch, 0)
    assert result == {"cost": pytest.approx(loss.item(), rel=1e-6), "size": 600}


def test_which_parts_each_cost_reaches(training, batch):
    training.model.requires_grad_(True)
    nats, distances, _ = training.costs(batch)
    reached = {}
    for name, value in {"nats": nats, **distances}.items():
        training.model.zero_grad()
        value.backward(retain_graph=True)
        reached[name] = {
            part
            for part, module in training.model.named_children()
            if any(p.grad is not None and p.grad.abs().max() > 0 for p in module.parameters())
        }
    assert reached == {
        "nats": {"filter", "long_term", "pulses"},
        "level": {"filter"},
        "power": {"filter", "mixture"},
    }


def test_it_speaks_with_the_voice(training, batch):
    lengths = torch.tensor([200, 240])
    spoken = training.speak(batch.context.select(torch.tensor([0, 1])), lengths, torch.Generator())
    assert spoken.shape == (2, 240) and spoken[0, 200:].abs().max() == 0 and spoken.std() > 0


def blowing_up(training, segments, monkeypatch):
    """The voice amplifies the given segments beyond any number."""
    flow = type(training.model.voice)
    generate = flow.rsample_with_conditionals
    called = []

    def amplified(self, noise, context=None):
        sample, conditionals = generate(self, noise, context)
        if len(noise) == 2:
            factor = torch.ones(2, 1)
            factor[segments] = torch.inf
            sample = sample * factor
        called.append(len(noise))
        return sample, conditionals

    monkeypatch.setattr(flow, "rsample_with_conditionals", amplified)
    return called


def test_a_segment_whose_filters_amplify_without_bound_trains_the_likelihood_only(
    training, batch, monkeypatch
):
    called = blowing_up(training, [1], monkeypatch)
    torch.manual_seed(5)
    loss = training.training_step(batch, 0)
    loss.backward()
    assert called == [2, 1]
    assert all(p.grad.isfinite().all() for p in training.model.parameters() if p.grad is not None)
    torch.manual_seed(5)
    noise = training.model.voice.noise((2, 240))
    sample, _ = training.model.voice.rsample_with_conditionals(
        noise[:1], batch.context.select(torch.tensor([0]))
    )
    power = sample[:, 40:].square().mean() - batch.waveform[:1, 40:].square().mean()
    assert training.values["train/power"] == pytest.approx(power.item(), rel=1e-4)


def test_without_any_calm_segment_the_likelihood_and_the_residual_are_left(training, batch, monkeypatch):
    blowing_up(training, [0, 1], monkeypatch)
    loss = training.training_step(batch, 0)
    nats = -training.model.density.conditionals(batch.waveform, batch.context).log_prob(batch.waveform)
    residual = training.model.filter.residual(batch.waveform, batch.context)
    torch.testing.assert_close(loss, nats[batch.mask].mean() + 2.0 * residual[batch.mask].abs().mean())
    assert "train/power" not in training.values
    loss.backward()
    assert all(p.grad.isfinite().all() for p in training.model.parameters())  # none is missing, for DDP


@pytest.mark.parametrize("segments", [[1], [0, 1]])
def test_weights_whose_voice_has_no_bound_are_never_the_best(training, batch, monkeypatch, segments):
    blowing_up(training, segments, monkeypatch)
    assert training.validation_step(batch, 0)["cost"] == math.inf
    assert math.isnan(training.values["dev/power"]) == (len(segments) == 2)


def test_losses_of_the_residual_are_computed_in_float32(training, batch):
    with torch.autocast("cpu", torch.bfloat16):
        rounded = training.costs(batch).others["level"]
    torch.testing.assert_close(rounded, training.costs(batch).others["level"])


def test_without_distances_nothing_is_spoken(training, batch, monkeypatch):
    training.distances = torch.nn.ModuleDict()
    called = blowing_up(training, [], monkeypatch)
    training.training_step(batch, 0).backward()
    assert not called and all(p.grad is not None for p in training.model.parameters())


def test_a_name_means_one_loss(training):
    with pytest.raises(UserError, match="level names a loss of the residual and a distance"):
        SourceFilterTraining(
            model=training.model,
            residual_losses=training.residual_losses,
            distances=training.residual_losses,
            voice_segments=2,
            optimizer=torch.optim.Adam,
            budget=Budget(max_steps=5),
        )
