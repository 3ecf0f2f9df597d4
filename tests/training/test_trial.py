"""A trial leaves no trace, and says in one sentence what a part has got wrong."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from wavegen.errors import UserError
from wavegen.training.trial import in_words, require_call, require_finite_scalar, trial


def draws():
    return torch.rand(1).item(), float(np.random.rand()), random.random()


def test_what_is_drawn_within_a_trial_changes_nothing_that_is_drawn_after_it():
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    expected = draws()
    torch.set_rng_state(states[0])
    np.random.set_state(states[1])
    random.setstate(states[2])
    with trial():
        torch.manual_seed(3)
        draws()
    assert draws() == expected


@pytest.mark.parametrize("fails", [False, True])
def test_the_modes_of_all_layers_are_what_they_were(fails):
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5))
    model[0].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    try:
        with trial(model):
            assert not any(module.training for module in model.modules())
            assert not model(torch.randn(3, 2)).requires_grad
            if fails:
                raise ZeroDivisionError
    except ZeroDivisionError:
        assert fails
    assert [module.training for module in model.modules()] == [True, False, True]
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    assert torch.is_grad_enabled()


class Without(nn.Module):
    pass


class Narrow(nn.Module):
    def forward(self):
        return None


def test_arguments_that_do_not_fit_are_named():
    require_call("X", nn.Linear(1, 1).forward, (1,), "forward(x)")
    require_call("X", dict, (1,), "dict(x)")  # a built-in one has no signature
    with pytest.raises(UserError, match=r"^X has no forward, expected forward\(x\)$"):
        require_call("X", Without().forward, (1,), "forward(x)")
    with pytest.raises(UserError, match=r"^X has forward\(\), expected forward\(x\)$"):
        require_call("X", Narrow().forward, (1,), "forward(x)")


def test_what_is_no_finite_scalar_is_named():
    require_finite_scalar("X", torch.tensor(1))
    with pytest.raises(UserError, match=r"^X is a tensor of shape \(1,\), expected a scalar tensor$"):
        require_finite_scalar("X", torch.zeros(1))
    with pytest.raises(UserError, match="^X is an object of float, expected a scalar tensor$"):
        require_finite_scalar("X", 1.0)
    with pytest.raises(UserError, match="^X is nan, expected a finite number$"):
        require_finite_scalar("X", torch.tensor(torch.nan))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (torch.zeros(2, 3), "a tensor of shape (2, 3)"),
        ((torch.zeros(2), 1), "a tuple (a tensor of shape (2,), an object of int)"),
        (None, "None"),
        (nn.Identity(), "an object of Identity"),
    ],
)
def test_a_value_has_words(value, words):
    assert in_words(value) == words
