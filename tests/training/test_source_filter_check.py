"""The losses of a source-filter model are tried before a folder is made."""

import pytest
import torch

from wavegen.errors import UserError
from wavegen.training.source_filter_check import check_source_filter
from wavegen.training.speech_stage import fill_in_voice

LOSSES = """
import torch
from torch import nn

class Fine(nn.Module):
    def forward(self, residual, mask):
        return residual[mask].square().mean()

    def distance(self, sample, recording):
        return (sample - recording).square().mean()

class PerSample(nn.Module):
    def forward(self, residual, mask):
        return residual

class Endless(nn.Module):
    def distance(self, sample, recording):
        return torch.tensor(torch.inf)

class OfSteps(nn.Module):
    def forward(self, step):
        return step
"""


@pytest.fixture
def losses(importable):
    return importable("losses_of_filters", LOSSES)


@pytest.fixture
def check(compose_config, mini_corpus):
    def run(*words):
        config = compose_config("source_filter", *words)
        fill_in_voice(config, mini_corpus)
        check_source_filter(config, mini_corpus)

    return run


def entry(group, name, inner):
    return f"+source_filter_training.{group}.{name}={{{inner}}}"


def test_losses_that_fit_pass_and_leave_the_random_state_alone(check, losses):
    state = torch.get_rng_state()
    fine = f"loss:{{_target_:{losses}.Fine}}"
    check(entry("residual_losses", "one", fine), entry("distances", "two", fine))
    check("source_filter_training.residual_losses.prediction_error=null")
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("group", "kind", "reason"),
    [
        ("residual_losses", "PerSample", r"PerSample is a tensor of shape \(2, \d+\), expected a scalar"),
        ("residual_losses", "OfSteps", r"OfSteps has forward\(step\), expected forward\(residual, mask\)"),
        ("residual_losses", "Endless", r"Endless has no forward, expected forward\(residual, mask\)"),
        ("distances", "PerSample", r"PerSample has no distance, expected distance\(sample, recording\)"),
        ("distances", "Endless", "the value of Endless is inf, expected a finite number"),
    ],
)
def test_a_loss_that_does_not_fit_is_named(check, losses, group, kind, reason):
    with pytest.raises(UserError, match=rf"^source_filter_training\.{group}\.mine: .*{reason}"):
        check(entry(group, "mine", f"loss:{{_target_:{losses}.{kind}}}"))


def test_what_is_no_loss_is_named(check, losses):
    with pytest.raises(UserError, match=r"residual_losses\.x has weight, expected loss and weight"):
        check(entry("residual_losses", "x", "weight:1"))
    fine = f"loss:{{_target_:{losses}.Fine}}"
    with pytest.raises(UserError, match="^both names a loss of the residual and a distance"):
        check(entry("residual_losses", "both", fine), entry("distances", "both", fine))


def test_a_voice_without_a_source_filter_model_is_not_tried(compose_config, mini_corpus):
    config = compose_config("teacher", "source_filter=none")
    fill_in_voice(config, mini_corpus)
    check_source_filter(config, mini_corpus)
