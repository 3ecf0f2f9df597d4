"""Every bijection of the room, every invariant over all of them: a new one is one more entry of the list."""

import io

import pytest
import torch
from torch import nn

from wavegen.flows import (
    Affine,
    Autoregressive,
    BoundedLogScale,
    Compose,
    Elementwise,
    Inverse,
    Logit,
    MixtureOfLogisticsCDF,
    MixtureOfLogisticsLogit,
    Sigmoid,
)

FEATURES, CONTEXT, BATCH = 4, 2, 3


class CausalConditioner(nn.Module):
    """Strictly causal and deliberately strong: a masked matrix, a nonlinearity, a masked matrix."""

    def __init__(self, num_parameters: int) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.first = nn.Linear(FEATURES, FEATURES)
        self.context = nn.Linear(CONTEXT, FEATURES)
        self.second = nn.Parameter(torch.randn(FEATURES, num_parameters, FEATURES))
        self.bias = nn.Parameter(torch.randn(FEATURES, num_parameters))

    def forward(self, x, context=None):
        hidden = x @ (self.first.weight.tril(-1)).mT + self.first.bias
        hidden = torch.tanh(hidden + (0 if context is None else self.context(context)))
        lower = torch.ones(FEATURES, FEATURES, dtype=x.dtype).tril()
        # the context reaches every element: unit i sees x before i, output i sees units up to i
        return torch.einsum("...j,ipj,ij->...ip", hidden, self.second, lower) + self.bias


class ZeroStart(CausalConditioner):
    """As nets start in practice: the last layer zero, so that gradients into earlier layers vanish."""

    def __init__(self, num_parameters: int) -> None:
        super().__init__(num_parameters)
        nn.init.zeros_(self.second)
        nn.init.zeros_(self.bias)


def autoregressive(transform, conditioner=CausalConditioner):
    return Autoregressive(transform=transform, conditioner=conditioner(transform.num_parameters))


BIJECTIONS = {
    "sigmoid": Sigmoid,
    "logit": Logit,
    "elementwise affine": lambda: Elementwise(transform=Affine(), shape=(FEATURES,)),
    "elementwise mixture cdf": lambda: Elementwise(transform=MixtureOfLogisticsCDF(3, -9.0), initial_std=1.0),
    "elementwise mixture logit": lambda: Elementwise(
        transform=MixtureOfLogisticsLogit(3, -9.0), shape=(FEATURES,), initial_std=1.0
    ),
    "maf": lambda: autoregressive(Affine()),
    "maf, zero start": lambda: autoregressive(Affine(), ZeroStart),
    "maf, bounded": lambda: autoregressive(Affine(log_scale_activation=BoundedLogScale(1.0))),
    "iaf": lambda: autoregressive(Affine()).inv,
    "autoregressive mixture cdf": lambda: autoregressive(MixtureOfLogisticsCDF(3, -9.0)),
    "autoregressive mixture logit": lambda: autoregressive(MixtureOfLogisticsLogit(3, -9.0)),
    "autoregressive mixture logit, inverse": lambda: autoregressive(MixtureOfLogisticsLogit(3, -9.0)).inv,
    "composition of ranks 0 and 1": lambda: Compose(
        autoregressive(MixtureOfLogisticsCDF(3, -9.0)), Logit(), autoregressive(Affine()).inv, Sigmoid()
    ),
    "inverse of a composition": lambda: Compose(autoregressive(Affine()), autoregressive(Affine()).inv).inv,
}
ON_UNIT_INTERVAL = {"logit"}  # what f takes; everything else takes the real line


@pytest.fixture(params=BIJECTIONS, ids=lambda name: name.replace(" ", "-"))
def case(request):
    torch.manual_seed(0)
    bijection = BIJECTIONS[request.param]().double()
    x = torch.randn(BATCH, FEATURES, dtype=torch.float64)
    x = torch.sigmoid(x) if request.param in ON_UNIT_INTERVAL else x
    return bijection, x, torch.randn(BATCH, CONTEXT, dtype=torch.float64)


def perturb(bijection):
    with torch.no_grad():
        for parameter in bijection.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))


def test_round_trip_and_cancelling_log_dets(case):
    bijection, x, context = case
    z, log_det = bijection(x, context)
    returned, inverse_log_det = bijection.inverse(z, context)
    assert log_det.shape == x.shape[: x.dim() - bijection.event_dim]
    torch.testing.assert_close(returned, x, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(inverse_log_det, -log_det, rtol=1e-9, atol=1e-9)


def jacobian_log_det(function, value, context):
    def of_member(member, its_context):
        jacobian = torch.autograd.functional.jacobian(
            lambda v: function(v[None], its_context[None])[0][0], member
        )
        return torch.linalg.slogdet(jacobian)[1]

    return torch.stack([of_member(*pair) for pair in zip(value, context, strict=True)])


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_log_det_is_that_of_the_autograd_jacobian(case, direction):
    bijection, x, context = case
    perturb(bijection)
    value = x if direction == "forward" else bijection(x, context)[0].detach()
    function = getattr(bijection, direction)
    log_det = function(value, context)[1]
    log_det = log_det.sum(-1) if bijection.event_dim == 0 else log_det
    torch.testing.assert_close(jacobian_log_det(function, value, context), log_det, rtol=0, atol=1e-8)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_gradients_reach_input_and_every_parameter(case, direction):
    bijection, x, context = case
    perturb(bijection)
    value = (x if direction == "forward" else bijection(x, context)[0]).detach().requires_grad_()
    result, log_det = getattr(bijection, direction)(value, context)
    ((result * torch.randn_like(result)).sum() + (log_det * torch.randn_like(log_det)).sum()).backward()
    assert value.grad.abs().min() > 0
    for name, parameter in bijection.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_gradients_against_finite_differences(case, direction):
    """Of value and log-det, to input, context and every parameter: what an implicit gradient gets wrong
    first.
    """
    bijection, x, context = case
    perturb(bijection)
    value = (x if direction == "forward" else bijection(x, context)[0]).detach()
    parameters = list(bijection.parameters())
    weights = torch.randn(BATCH, FEATURES, dtype=torch.float64)

    def loss(value, context):
        result, log_det = getattr(bijection, direction)(value, context)
        log_det = log_det if log_det.dim() == 2 else log_det[:, None]
        return (weights * result).sum() + (weights[:, : log_det.shape[1]] * log_det).sum()

    inputs = [value.clone().requires_grad_(), context.clone().requires_grad_(), *parameters]
    gradients = torch.autograd.grad(loss(*inputs[:2]), inputs, allow_unused=True, materialize_grads=True)
    directions = [torch.randn_like(tensor) for tensor in inputs]
    slope = sum((gradient * along).sum() for gradient, along in zip(gradients, directions, strict=True))
    step = 1e-6
    with torch.no_grad():
        ends = []
        for sign in (1, -1):
            for tensor, along in zip(inputs, directions, strict=True):
                tensor.add_(sign * step * along)
            ends.append(loss(*inputs[:2]))
            for tensor, along in zip(inputs, directions, strict=True):
                tensor.sub_(sign * step * along)
    torch.testing.assert_close(slope, (ends[0] - ends[1]) / (2 * step), rtol=1e-6, atol=1e-6)


def test_inv_reads_the_other_way_and_back(case):
    bijection, x, context = case
    if isinstance(bijection, Inverse):
        assert bijection.inv is bijection.bijection
    else:
        assert bijection.inv.inv is bijection
    z, log_det = bijection(x, context)
    through_inv, inv_log_det = bijection.inv.inverse(x, context)
    assert torch.equal(z, through_inv) and torch.equal(log_det, inv_log_det)


def test_save_and_load(case, request):
    bijection, x, context = case
    perturb(bijection)
    file = io.BytesIO()
    torch.save(bijection.state_dict(), file)
    file.seek(0)
    torch.manual_seed(99)
    fresh = BIJECTIONS[request.node.callspec.params["case"]]().double()
    fresh.load_state_dict(torch.load(file, weights_only=True))
    for before, after in zip(bijection(x, context), fresh(x, context), strict=True):
        assert torch.equal(before, after)


def test_repr_names_the_class(case):
    bijection, _, _ = case
    assert type(bijection).__name__ in repr(bijection)


def test_float32_round_trip(case):
    bijection, x, context = case
    bijection, x, context = bijection.float(), x.float(), context.float()
    z, log_det = bijection(x, context)
    assert z.dtype == log_det.dtype == torch.float32
    torch.testing.assert_close(bijection.inverse(z, context)[0], x, rtol=2e-3, atol=2e-3)
