import math

import pytest
import torch

from wavegen.data.speech.segments import Batch
from wavegen.distributions.heads import LogisticMixtureHead
from wavegen.training.budget import Budget
from wavegen.training.teacher import TeacherTraining


class Recorded(TeacherTraining):
    """Keeps what goes into the log."""

    def log_all(self, stage, values, batch_size):
        self.values = getattr(self, "values", {}) | {
            f"{stage}/{name}": v.item() for name, v in values.items()
        }
        self.sizes = getattr(self, "sizes", []) + [batch_size]

    def log(self, *_, **__):
        pass


@pytest.fixture
def training(make_teacher):
    return Recorded(
        teacher=make_teacher(LogisticMixtureHead(2, -9.0)),
        sample_rate=800,
        optimizer=torch.optim.Adam,
        budget=Budget(max_steps=5),
    )


@pytest.fixture
def batch(make_context):
    waveform = 0.3 * torch.randn(3, 400, dtype=torch.float64)
    waveform[:, 200:] *= 1e-5
    return Batch(waveform, make_context(3, 100), torch.arange(400).expand(3, 400) >= 10)


def bits(training, batch, context, mask):
    log_prob = training.teacher.conditionals(batch.waveform, context).log_prob(batch.waveform)
    return -log_prob[mask].mean().item() / math.log(2)


def test_what_is_minimised_is_nats_of_the_scored_samples(training, batch):
    loss = training.training_step(batch, 0)
    expected = bits(training, batch, batch.context, batch.mask)
    assert loss.item() == pytest.approx(expected * math.log(2))
    assert training.values == {"train/bits_per_sample": pytest.approx(expected)} and training.sizes == [3]


def test_dev_bits_with_another_segments_conditioning_are_the_gap(training, batch):
    training.validation_step(batch, 0)
    own, other = (
        bits(training, batch, context, batch.mask) for context in (batch.context, batch.context.shuffled())
    )
    assert training.values["dev/bits_per_sample"] == pytest.approx(own)
    assert training.values["dev/bits_per_sample_shuffled"] == pytest.approx(other)
    assert training.values["dev/shuffled_gap_bits"] == pytest.approx(other - own) != 0
    assert training.sizes[0] == int(batch.mask.sum())


def test_pauses_count_for_nothing_where_they_are_left_out(training, batch):
    training.validation_step(batch, 0)
    without = training.values["dev/bits_per_sample_without_pauses"]
    loud = batch.mask & (torch.arange(400) < 200)
    assert without == pytest.approx(bits(training, batch, batch.context, loud), abs=0.3)
    assert without != pytest.approx(training.values["dev/bits_per_sample"], abs=1e-3)
    training.values = {}
    training.validation_step(Batch(0 * batch.waveform, batch.context, batch.mask), 0)
    assert "dev/bits_per_sample_without_pauses" not in training.values


@pytest.mark.filterwarnings("ignore:the compiled sampler cannot run this model")
def test_a_teacher_speaks_for_the_log_by_its_generator(training, make_context):
    context, lengths = make_context(2, 3), torch.tensor([12, 7])
    one, same, other = (
        training.speak(context, lengths, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert one.shape == (2, 12) and torch.equal(one, same) and not torch.equal(one, other)
