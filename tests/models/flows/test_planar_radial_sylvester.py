from functools import partial

import pytest
import torch
from torch.distributions import Normal

from wavegen.flows import Planar
from wavegen.flows.parameters import FreeParameters
from wavegen.models.flows.planar_radial_sylvester import (
    householder,
    orthogonal,
    planar_flow,
    radial_flow,
    sylvester_flow,
    triangular,
)
from wavegen.nets.context_mlp import ContextMLP

STACKS = {
    "planar": planar_flow,
    "radial": radial_flow,
    "orthogonal": partial(sylvester_flow, layer=orthogonal),
    "householder": partial(sylvester_flow, layer=householder),
    "triangular": partial(sylvester_flow, layer=triangular),
}


@pytest.mark.parametrize("name", STACKS)
def test_a_stack_is_its_layers_one_after_the_other(name):
    flow = STACKS[name](features=3, num_flows=3).double()
    x = value = torch.randn(4, 3, dtype=torch.float64)
    total = 0
    for layer in flow.bijection.members:
        value, log_det = layer(value)
        total = total + log_det
    assert len(flow.bijection.members) == 3
    torch.testing.assert_close(flow().log_prob(x), Normal(0, 1).log_prob(value).sum(-1) + total)


@pytest.mark.parametrize("name", STACKS)
def test_with_a_context_no_table_is_left_and_each_layer_has_its_net(name):
    flow = STACKS[name](features=3, num_flows=2, hidden=[5], context_features=2)
    assert [type(layer.parameter_source) for layer in flow.bijection.members] == 2 * [ContextMLP]
    assert not any(isinstance(layer, FreeParameters) for layer in flow.modules())
    context = torch.randn(4, 2)
    x = torch.randn(1, 3).expand(4, 3)
    assert len(flow(context).log_prob(x).unique()) == 4


def test_planar_layers_are_the_papers_formula():
    flow = planar_flow(features=2, num_flows=1).double()
    (layer,) = flow.bijection.members
    assert isinstance(layer, Planar)
    x = torch.randn(5, 2, dtype=torch.float64)
    z, log_det = layer(x)
    jacobian = torch.stack([torch.autograd.functional.jacobian(lambda v: layer(v)[0], row) for row in x])
    torch.testing.assert_close(log_det, torch.linalg.slogdet(jacobian)[1])
    # one hidden unit: all points move along one direction
    moved = z - x
    assert torch.linalg.matrix_rank(moved, rtol=1e-9) == 1


def test_layers_of_few_units_move_within_their_rank():
    for layer, rank in ((orthogonal(4, 0, rank=2), 2), (orthogonal(4, 0), 4)):
        layer = layer.double()
        x = 3 * torch.randn(50, 4, dtype=torch.float64)
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.add_(torch.randn_like(parameter))
            assert torch.linalg.matrix_rank(layer(x)[0] - x, rtol=1e-9) == rank


def test_as_many_reflections_as_features_unless_told():
    assert householder(4, 0).num_parameters - householder(4, 0, num_reflections=1).num_parameters == 3 * 4


def test_triangular_layers_turn_the_order_by_turns():
    even, odd = (triangular(3, index).basis.order.tolist() for index in (0, 1))
    assert (even, odd) == ([0, 1, 2], [2, 1, 0])
