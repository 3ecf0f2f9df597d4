import pytest
import torch
from torch import nn

from wavegen.distributions.agreement import parameters_for, require_agreement
from wavegen.distributions.heads import NormalHead
from wavegen.errors import UserError
from wavegen.nets.made import MADE


def refused(conditioner):
    """The message, or None where the conditioner gives what a normal head takes."""
    try:
        require_agreement(nn.Identity(), NormalHead(-9.0), conditioner)
    except UserError as error:
        return str(error)
    return None


@pytest.mark.parametrize("count", [1, 2, 3])
def test_another_number_of_parameters_is_named_and_the_right_one_passes(count):
    message = f"Identity: expected a conditioner with 2 parameters per element for NormalHead, got {count}"
    assert refused(MADE(3, count, [4])) == (None if count == 2 else message)


def test_what_does_not_say_how_many_it_gives_is_left_to_its_call():
    assert refused(nn.Linear(3, 7)) is None


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
