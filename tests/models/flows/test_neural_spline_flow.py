import pytest
import torch

from wavegen.flows import Affine, Autoregressive, Coupling, LULinear, RationalQuadraticSpline
from wavegen.models.flows.neural_spline_flow import neural_spline_autoregressive, neural_spline_coupling

BOTH = pytest.mark.parametrize(
    ("build", "nonlinear"),
    [(neural_spline_coupling, Coupling), (neural_spline_autoregressive, Autoregressive)],
)


def perturbed(flow):
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    return flow.double()


@BOTH
def test_linear_maps_stand_around_every_spline(build, nonlinear):
    kinds = [type(layer) for layer in build(features=3, num_flows=2, hidden=[4]).bijection.members]
    assert kinds == [LULinear, nonlinear, LULinear, nonlinear, LULinear]


def test_a_fresh_flow_of_couplings_is_a_rotation_of_a_standard_normal():
    x = torch.randn(6, 3, dtype=torch.float64)
    log_prob = neural_spline_coupling(features=3, num_flows=2, hidden=[4]).double()().log_prob(x)
    expected = torch.distributions.Normal(0, 1).log_prob(x).sum(-1)
    torch.testing.assert_close(log_prob, expected, rtol=0, atol=1e-5)


@BOTH
def test_data_beyond_the_bound_is_moved_by_the_linear_maps_only(build, nonlinear):
    flow = perturbed(build(features=3, num_flows=1, hidden=[4], transform=RationalQuadraticSpline(bound=0.5)))
    x = 1e3 * torch.randn(20, 3, dtype=torch.float64)
    first, spline, last = flow.bijection.members
    inside = (first(x)[0].abs() < 0.5).any(-1)
    assert inside.sum() < 5
    z, log_det = flow.bijection(x)
    expected, linear_log_det = last(first(x)[0])[0], first(x)[1] + last(x)[1]
    torch.testing.assert_close(z[~inside], expected[~inside])
    torch.testing.assert_close(log_det[~inside], linear_log_det[~inside])
    near = 1e-2 * x / x.norm(dim=-1, keepdim=True)
    assert (flow.bijection(near)[0] != last(first(near)[0])[0]).any()


@BOTH
def test_a_transform_that_is_given_stands_in_the_splines_place(build, nonlinear):
    flow = build(features=3, num_flows=2, hidden=[4], transform=Affine())
    layers = [layer for layer in flow.modules() if isinstance(layer, nonlinear)]
    assert all(isinstance(layer.transform, Affine) for layer in layers) and len(layers) == 2
