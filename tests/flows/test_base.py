import math

import pytest
import torch

from wavegen.flows import (
    StandardLogistic,
    StandardNormal,
    StandardUniform,
)

BASES = [StandardLogistic, StandardNormal, StandardUniform]


@pytest.mark.parametrize("base", BASES)
def test_bases_follow_type_and_add_no_weights(base):
    module = base((4, 2)).double()
    distribution = module()
    assert distribution.event_shape == (4, 2) and distribution.batch_shape == ()
    x = distribution.rsample((3,))
    assert x.dtype == torch.float64 and x.shape == (3, 4, 2)
    assert distribution.log_prob(x).shape == (3,)
    assert not module.state_dict()


def test_uniform_base_is_minus_infinity_outside():
    assert StandardUniform((2,))().log_prob(torch.tensor([0.5, 1.5])).item() == -math.inf


def test_bases_have_the_density_of_their_name():
    z = torch.tensor([[0.1, 0.7], [0.5, 0.9]], dtype=torch.float64)
    logistic = (-z - 2 * torch.log1p((-z).exp())).sum(-1)
    normal = (-0.5 * z.square() - 0.5 * math.log(2 * math.pi)).sum(-1)
    for base, expected in (
        (StandardLogistic, logistic),
        (StandardNormal, normal),
        (StandardUniform, torch.zeros(2, dtype=torch.float64)),
    ):
        torch.testing.assert_close(base((2,)).double()().log_prob(z), expected)


@pytest.mark.parametrize("base", BASES)
def test_the_context_of_a_base_plays_no_part(base):
    distribution = base((2,))(torch.randn(5, 3))
    assert distribution.batch_shape == () and distribution.event_shape == (2,)
