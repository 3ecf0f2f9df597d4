import pytest
import torch
from torch import nn

from wavegen.errors import UserError
from wavegen.flows import Affine, Autoregressive, Flow, MixtureOfLogisticsLogit, Sigmoid, StandardNormal
from wavegen.nets.made import MADE


class CausalConvolution(nn.Module):
    """Parameters of step t from the three steps before it and the context of step t."""

    def __init__(self, num_parameters: int) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.past = nn.Conv1d(1, 8, 3)
        self.out = nn.Conv1d(8, num_parameters, 1)
        self.passes = 0

    def forward(self, x, context=None):
        self.passes += 1
        shifted = nn.functional.pad(x.unsqueeze(1), (3, 0))[..., :-1]
        hidden = torch.tanh(self.past(shifted) + (0 if context is None else context.unsqueeze(1)))
        return self.out(hidden).transpose(1, 2)


def naive_inverse(flow, z, context):
    """One element after another, every step recorded by autograd: slow, and beyond doubt."""
    x = torch.zeros_like(z)
    steps = []
    for t in range(z.shape[1]):
        x = torch.cat([*steps, torch.zeros_like(z[:, t:])], 1)
        parameters = flow.conditioner(x, context)
        steps.append(flow.transform.inverse(z, parameters)[0][:, t : t + 1])
    x = torch.cat(steps, 1)
    return x, -flow(x, context)[1]


@pytest.mark.parametrize(
    "transform", [Affine(), MixtureOfLogisticsLogit(2, -9.0)], ids=lambda t: type(t).__name__
)
def test_inverse_and_its_gradients_equal_those_of_the_naive_loop(transform):
    torch.manual_seed(0)
    flow = Autoregressive(
        transform=transform, conditioner=CausalConvolution(transform.num_parameters)
    ).double()
    z = torch.randn(2, 12, dtype=torch.float64, requires_grad=True)
    context = torch.randn(2, 12, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 12, dtype=torch.float64)
    results = []
    for x, log_det in (flow.inverse(z, context), naive_inverse(flow, z, context)):
        loss = (weight * x**2).sum() + (log_det**2).sum()
        results.append((x, log_det, *torch.autograd.grad(loss, (z, context, *flow.parameters()))))
    for ours, naive in zip(*results, strict=True):
        torch.testing.assert_close(ours, naive, rtol=1e-9, atol=1e-9)


def test_passes_stop_when_nothing_changes():
    torch.manual_seed(0)
    conditioner = CausalConvolution(2).double()
    flow = Autoregressive(transform=Affine(), conditioner=conditioner)
    z = torch.randn(1, 200, dtype=torch.float64)
    with torch.no_grad():
        nn.init.zeros_(conditioner.past.weight)  # no dependence on the past at all
        flow.inverse(z)
        assert conditioner.passes <= 4
        nn.init.normal_(conditioner.past.weight)
        conditioner.passes = 0
        x, _ = flow.inverse(z)
        assert conditioner.passes <= 202
    torch.testing.assert_close(flow(x)[0], z, rtol=1e-8, atol=1e-8)


def test_overflow_on_the_way_does_not_spoil_the_solution():
    """Early iterates overflow float32; a masked product turns their infinities into NaN everywhere."""

    class Steep(nn.Module):
        num_parameters = 2

        def forward(self, x, context=None):
            mask = torch.ones(x.shape[-1], x.shape[-1]).tril(-1)
            past = x @ mask.mT
            return torch.stack([-past, -200.0 * (past - 1.0).abs().clamp(max=1.0)], -1)

    flow = Autoregressive(transform=Affine(), conditioner=Steep())
    with torch.no_grad():
        z = torch.tensor([[1e-30, 0.1, 0.2, 0.3]])
        solution, _ = flow.inverse(z)
        expected = naive_inverse(flow, z, None)[0]
        torch.testing.assert_close(solution, expected, equal_nan=True)


@pytest.mark.cpu("an exception in the imitation's thread of backward passes ends the process")
def test_second_derivatives_through_the_inverse_are_refused():
    flow = Autoregressive(transform=Affine(), conditioner=CausalConvolution(2))
    z = torch.randn(1, 5, requires_grad=True)
    x, _ = flow.inverse(z)
    with pytest.raises(RuntimeError, match="second derivatives"):
        torch.autograd.grad(x.square().sum(), z, create_graph=True)


def test_jacobian_is_triangular():
    flow = Autoregressive(transform=Affine(), conditioner=CausalConvolution(2)).double()
    jacobian = torch.autograd.functional.jacobian(
        lambda x: flow(x[None])[0][0], torch.randn(8, dtype=torch.float64)
    )
    assert torch.equal(jacobian, jacobian.tril())
    assert (jacobian.diagonal() > 0).all()


def test_events_of_two_dimensions():
    class Rows(nn.Module):
        num_parameters = 2

        def forward(self, x, context=None):
            before = x.cumsum(-2) - x  # every row sees the rows above
            return torch.stack([torch.sin(before), 0.1 * torch.cos(before)], -1)

    flow = Autoregressive(transform=Affine(), conditioner=Rows(), event_dim=2)
    x = torch.randn(3, 4, 5, dtype=torch.float64)
    z, log_det = flow(x)
    assert log_det.shape == (3,)
    torch.testing.assert_close(flow.inverse(z)[0], x)


def test_parameter_counts_must_agree():
    with pytest.raises(
        UserError, match="expected a conditioner with 2 parameters per element for Affine, got 3"
    ):
        Autoregressive(transform=Affine(), conditioner=CausalConvolution(3))


def test_what_does_not_fit_is_named():
    with pytest.raises(
        UserError, match="expected a τ or a head, which takes parameters for every element, got Sigmoid"
    ):
        Autoregressive(transform=Sigmoid(), conditioner=CausalConvolution(2))
    made = Autoregressive(transform=Affine(), conditioner=MADE(3, 2, [8]))
    with pytest.raises(UserError, match=r"expected 3 features for MADE, got shape \(4,\)"):
        Flow(bijection=made, base=StandardNormal((4,)))

    class Shared(nn.Module):
        def forward(self, x, context=None):
            return torch.zeros(1, 2)

    with pytest.raises(
        UserError, match=r"expected parameters of shape \(5, 3, 2\) from Shared, got \(1, 2\)"
    ):
        Autoregressive(transform=Affine(), conditioner=Shared())(torch.zeros(5, 3))
