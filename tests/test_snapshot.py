"""A snapshot sees every change of tensors, also those that torch does not count."""

import pytest
import torch
from torch import nn

from wavegen.snapshot import Snapshot


def fused_step(model):
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    torch.optim.Adam(model.parameters(), fused=True).step()


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model[0].bias.data.add_(1e-3),
        lambda model: model.double(),
        lambda model: model.append(nn.Linear(2, 2)),
        lambda model: model.pop(0),
        fused_step,
    ],
)
def test_every_change_is_seen(change):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    seen = Snapshot(model.parameters())
    assert seen.equals(model.parameters())
    change(model)
    assert not seen.equals(model.parameters())


def test_equal_values_in_other_tensors_are_no_change():
    seen = Snapshot([torch.arange(3.0)])
    assert seen.equals([torch.arange(3.0)])
    assert not seen.equals([torch.arange(4.0)]) and not seen.equals([])
