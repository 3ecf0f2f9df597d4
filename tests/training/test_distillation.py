import pytest
import torch
from torch import nn

from wavegen.data.speech.segments import Batch
from wavegen.distributions.heads import LogisticMixtureHead
from wavegen.errors import UserError
from wavegen.objectives.distillation import Term, WeightedTerm
from wavegen.training.budget import Budget
from wavegen.training.distillation import STATISTICS, DistillationTraining


@pytest.mark.parametrize(
    ("minutes", "step", "weight"), [(0, 0, 0.2), (0, 100, 1.1), (0, 200, 2.0), (0, 300, 2.0), (2.5, 7, 1.1)]
)
def test_a_term_warms_up_by_steps_or_by_their_share_of_the_minutes(
    monkeypatch, minutes, step, weight, budget_at
):
    module = DistillationTraining(
        teacher=nn.Linear(1, 1),
        student=nn.Linear(1, 1),
        terms=nn.ModuleDict({"divergence": WeightedTerm(loss=nn.Identity(), weight=2.0, warmup_steps=200)}),
        optimizer=torch.optim.Adam,
        budget=budget_at(minutes, max_steps=400, max_minutes=10),
    )
    monkeypatch.setattr(DistillationTraining, "global_step", step)
    assert module.weight("divergence") == pytest.approx(weight, rel=1e-12)
    module.eval()
    assert module.weight("divergence") == 2.0


def test_a_term_that_has_not_started_is_not_computed_but_in_validations(monkeypatch, training, batch):
    training.terms["three"].start_share = 0.6
    monkeypatch.setattr(DistillationTraining, "global_step", 2)
    loss, log = training.loss(batch)
    assert "three" not in log and "level_3" not in log and training.started() == ["one"]
    torch.testing.assert_close(loss, 2.0 * log["one"])
    training.eval()
    assert set(training.loss(batch)[1]) >= {"one", "three"}
    training.train()
    monkeypatch.setattr(DistillationTraining, "global_step", 3)
    assert training.started() == ["one", "three"]


class Level(nn.Module):
    """A term that is a multiple of the sample's mean square."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, step):
        value = self.factor * step.sample.square().mean()
        return Term(value, {f"level_{self.factor:g}": value.detach()})


@pytest.fixture
def training(make_teacher, make_student):
    terms = {
        "one": WeightedTerm(loss=Level(1.0), weight=2.0),
        "three": WeightedTerm(loss=Level(3.0), weight=0.5),
    }
    return DistillationTraining(
        teacher=make_teacher(LogisticMixtureHead(2, -9.0)),
        student=make_student(),
        terms=nn.ModuleDict(terms),
        optimizer=torch.optim.Adam,
        budget=Budget(max_steps=5),
    )


@pytest.fixture
def batch(make_context):
    mask = torch.arange(16).expand(2, 16) >= 3
    return Batch(0.1 * torch.randn(2, 16, dtype=torch.float64), make_context(2, 4), mask)


def test_the_loss_is_the_weighted_sum_of_its_terms(training, batch):
    loss, log = training.loss(batch)
    torch.testing.assert_close(log["three"], 3 * log["one"])
    torch.testing.assert_close(loss, 2.0 * log["one"] + 0.5 * log["three"])
    torch.testing.assert_close(log["loss"], loss)
    torch.testing.assert_close(log["level_3"], log["three"])
    torch.testing.assert_close(log["recording_std"], batch.waveform[batch.mask].std())
    assert not any(value.requires_grad for value in log.values())
    assert set(log) == {"one", "three", "level_1", "level_3", *STATISTICS}
    inside = batch.waveform[batch.mask]
    assert log["student_peak"] > log["student_std"] > 0 and log["recording_std"] == inside.std()


def test_the_teacher_is_frozen_and_neither_trained_nor_saved(training, batch):
    training.loss(batch)[0].backward()
    assert all(parameter.grad is None for parameter in training.teacher.parameters())
    assert any(parameter.grad is not None for parameter in training.student.parameters())
    assert not any("teacher" in name for name in training.state_dict())
    training.teacher.train()
    training.on_fit_start()
    assert not training.teacher.training


def test_a_term_that_is_no_number_is_named(training, batch):
    training.terms["three"].loss.factor = float("nan")
    with pytest.raises(UserError, match="training stopped at step 0: the term 'three' is nan"):
        training.loss(batch)


@pytest.mark.filterwarnings("ignore:the compiled sampler cannot run this model")
def test_samples_for_the_log_are_the_generators(training, make_context):
    context, lengths = make_context(2, 4), torch.tensor([16, 12])
    one, same, other = (
        training.speak(context, lengths, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)
    )
    assert one.shape == (2, 16) and torch.equal(one, same) and not torch.equal(one, other)
