"""Engines are packed once, and again where anything has changed that they were made of."""

import pytest
import torch
from torch import nn

from wavegen.compiled.engine_cache import EngineCache


@pytest.fixture
def packed():
    model, made = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), []
    cache = EngineCache(model, lambda: None, lambda: made.append(len(made)) or made[-1])
    return model, made, cache


def test_an_engine_is_made_once(packed):
    model, made, cache = packed
    assert [cache.get() for _ in range(3)] == [0, 0, 0] and made == [0]


def fused_step(model):
    """What the counts that torch keeps of changes leave out."""
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    torch.optim.Adam(model.parameters(), fused=True).step()


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model[0].weight.data.mul_(1.0001),
        lambda model: model[1].running_mean.add_(1),
        lambda model: model.double(),
        lambda model: model.eval(),
        lambda model: model.append(nn.Linear(2, 2)),
        fused_step,
    ],
)
def test_a_change_makes_another(packed, change):
    model, made, cache = packed
    assert cache.get() == 0
    change(model)
    assert cache.get() == 1 and cache.get() == 1 and made == [0, 1]


def test_what_cannot_be_made_is_tried_again():
    model, outcomes = nn.Linear(1, 1), [ValueError("no"), 7]

    def make():
        outcome = outcomes.pop(0)
        if isinstance(outcome, ValueError):
            raise outcome
        return outcome

    cache = EngineCache(model, lambda: None, make)
    with pytest.raises(ValueError, match="no"):
        cache.get()
    assert cache.get() == 7


def test_the_structure_is_checked_every_time():
    model = nn.Linear(1, 1)

    def check():
        if model._forward_hooks:
            raise ValueError("hooks")

    cache = EngineCache(model, check, lambda: 7)
    assert cache.get() == 7
    model.register_forward_hook(lambda *_: None)
    with pytest.raises(ValueError, match="hooks"):
        cache.get()
