"""Critics are trained beside the student, by their own optimisers, and go on after a resumption."""

import copy
from functools import partial

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from wavegen.data.speech.segments import Batch
from wavegen.distributions.heads import LogisticMixtureHead
from wavegen.objectives.distillation import DistillationStep, Term, WeightedTerm
from wavegen.runs.folder import open_run, resume_config
from wavegen.training.budget import Budget
from wavegen.training.critics import Critics
from wavegen.training.distillation import DistillationTraining
from wavegen.training.speech_stage import fill_in_voice
from wavegen.training.speech_stages import train_student, train_teacher


class Judged(nn.Module):
    """A critic of one number that follows the sample's mean square; the student is to exceed it."""

    def __init__(self):
        super().__init__()
        self.critic = nn.Linear(1, 1, bias=False, dtype=torch.float64)
        self.optimizer = partial(torch.optim.SGD, lr=0.1, momentum=0.9)
        self.seen = []

    def critic_loss(self, step):
        self.seen.append(step.sample.requires_grad)
        return (self.critic.weight.squeeze() - step.sample.square().mean()).square()

    def forward(self, step):
        return Term(self.critic.weight.squeeze() - step.sample.square().mean())


class Plain(nn.Module):
    def forward(self, step):
        return Term(step.sample.mean())


@pytest.fixture
def training(make_teacher, make_student):
    terms = {"judged": WeightedTerm(loss=Judged()), "plain": WeightedTerm(loss=Plain())}
    module = DistillationTraining(
        teacher=make_teacher(LogisticMixtureHead(2, -9.0)),
        student=make_student(),
        terms=nn.ModuleDict(terms),
        optimizer=torch.optim.Adam,
        budget=Budget(max_steps=5),
    )
    module.critics.begin()
    return module


@pytest.fixture
def batch(make_context):
    mask = torch.ones(2, 16, dtype=torch.bool)
    return Batch(0.1 * torch.randn(2, 16, dtype=torch.float64), make_context(2, 4), mask)


@pytest.fixture
def step(training, batch):
    return training.step_of(batch)


def weight_of(training):
    return training.terms["judged"].loss.critic.weight.item()


def test_a_critic_takes_one_step_of_its_own_and_the_student_none(training, step):
    before, power = weight_of(training), step.sample.square().mean().item()
    log = training.critics.update(step, ["judged", "plain"], lambda gradient: gradient)
    assert log["judged_critic"].item() == pytest.approx((before - power) ** 2) and list(log) == [
        "judged_critic"
    ]
    assert weight_of(training) == pytest.approx(before - 0.1 * 2 * (before - power))
    assert all(parameter.grad is None for parameter in training.parameters())
    assert training.terms["judged"].loss.seen == [False], "its sample is a constant"
    assert step.sample.requires_grad


def test_the_student_s_step_leaves_the_critic_alone(training, batch):
    critic = training.terms["judged"].loss.critic
    training.loss(batch)[0].backward()
    assert critic.weight.grad is None and not critic.weight.requires_grad
    assert any(parameter.grad is not None for parameter in training.student.parameters())
    groups = training.configure_optimizers()["optimizer"].param_groups
    assert not any(parameter is critic.weight for group in groups for parameter in group["params"])


def test_only_the_named_critics_are_trained_and_gradients_are_averaged_over_processes(training, step):
    before, power = weight_of(training), step.sample.square().mean().item()
    assert training.critics.update(step, ["plain"], lambda gradient: gradient) == {}
    assert weight_of(training) == before
    training.critics.update(step, ["judged"], lambda gradient: gradient / 2)
    assert weight_of(training) == pytest.approx(before - 0.1 * (before - power))


def test_restored_critics_go_on_as_if_they_had_not_stopped(training, step):
    def update(critics):
        critics.update(step, ["judged"], lambda gradient: gradient)

    update(training.critics)
    weight, state = weight_of(training), training.critics.state_dict()
    state = copy.deepcopy(state)
    update(training.critics)
    whole = weight_of(training)
    with torch.no_grad():
        training.terms["judged"].loss.critic.weight.fill_(weight)
    resumed, forgetful = Critics(training.terms), Critics(training.terms)
    resumed.load_state_dict(state)
    resumed.begin()
    update(resumed)
    assert weight_of(training) == whole
    with torch.no_grad():
        training.terms["judged"].loss.critic.weight.fill_(weight)
    forgetful.begin()
    update(forgetful)
    assert weight_of(training) != whole, "without its momentum"


def test_a_constant_step_has_the_same_sample_and_law(training, step):
    constant = step.without_gradient()
    assert isinstance(constant, DistillationStep) and constant.mask is step.mask
    assert torch.equal(constant.sample, step.sample) and not constant.sample.requires_grad
    assert torch.equal(constant.conditionals.loc, step.conditionals.loc)
    assert not constant.conditionals.log_scale.requires_grad


def test_a_killed_and_resumed_distillation_with_critics_equals_an_uninterrupted_one(
    compose_config, killed_at, mini_corpus, tmp_path, monkeypatch
):
    words = ["student_training.precision=32-true", "teacher_training.max_steps=1", "term=[adversarial]"]
    words += ["objective.adversarial.start_share=0.4", "objective.adversarial.loss.channels=2"]
    words += [f"corpus.directory={mini_corpus.directory}"]

    def distil(config):
        fill_in_voice(config, mini_corpus)
        run = open_run(config)
        train_student(config, mini_corpus, run, train_teacher(config, mini_corpus, run))

    distil(compose_config("distill", *words, f"run={tmp_path / 'whole'}"))
    with monkeypatch.context() as patch:
        killed_at(patch, step=5, save_at=4)
        with pytest.raises(RuntimeError, match="power cut"):
            distil(compose_config("distill", *words, f"run={tmp_path / 'killed'}"))
    distil(resume_config(compose_config("distill", f"resume={tmp_path / 'killed'}")))
    one, other = (load_file(tmp_path / name / "student.safetensors") for name in ("whole", "killed"))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    saved = [
        torch.load(tmp_path / name / "checkpoints/student/last.ckpt", weights_only=True)
        for name in ("whole", "killed")
    ]
    states = [checkpoint["critics"]["adversarial"]["state"] for checkpoint in saved]
    assert states[0][0]["step"] == 3, "of six steps the first three were too early"
    assert torch.equal(states[0][0]["exp_avg"], states[1][0]["exp_avg"]) and states[0][0]["exp_avg"].any()
    critics = [name for name in saved[0]["state_dict"] if ".critic." in name]
    assert critics and all(torch.equal(*(one["state_dict"][name] for one in saved)) for name in critics)
    assert not any("critic" in name for name in one), "the voice has no critics"
