import pytest
import torch
from torch import nn

from wavegen.distributions.agreement import parameters_for, require_agreement
from wavegen.distributions.heads import NormalHead
from wavegen.errors import UserError
from wavegen.nets.made import MADE


def test_as_many_parameters_as_are_taken_pass():
    require_agreement(nn.Identity(), NormalHead(-9.0), MADE(3, 2, [4]))
    require_agreement(nn.Identity(), NormalHead(-9.0), nn.Linear(3, 7))  # does not say how many it gives


def test_another_number_of_parameters_is_named():
    with pytest.raises(UserError, match="Identity: expected a conditioner with 2 parameters .* got 3"):
        require_agreement(nn.Identity(), NormalHead(-9.0), MADE(3, 3, [4]))


def test_what_takes_no_parameters_is_refused():
    with pytest.raises(UserError, match="Identity: expected a τ or a head, .* got ReLU"):
        require_agreement(nn.Identity(), nn.ReLU(), MADE(3, 2, [4]))


class Conditioner(nn.Module):
    def forward(self, seen, context):
        return torch.stack([seen, seen * context], -1)


def test_parameters_are_what_the_conditioner_gives_for_value_and_context():
    seen, context = torch.randn(4, 3), torch.randn(4, 1)
    found = parameters_for(nn.Identity(), Conditioner(), seen, seen.shape, 2, context)
    assert torch.equal(found, torch.stack([seen, seen * context], -1))


@pytest.mark.parametrize("context", [torch.ones(1, 3, 1, 1), torch.ones(())])
def test_parameters_that_would_broadcast_are_refused(context):
    shape = torch.Size((4, 3))
    seen = torch.zeros(4, 3) if context.dim() else torch.zeros(1, 3)
    with pytest.raises(UserError, match=r"parameters of shape \(4, 3, 2\) from Conditioner, got"):
        parameters_for(nn.Identity(), Conditioner(), seen * context, shape, 2, context)
