import math

import pytest
import torch
from torch import nn

from wavegen.errors import UserError
from wavegen.flows import (
    Compose,
    Flow,
    FreeParameters,
    HouseholderSylvester,
    OrthogonalSylvester,
    StandardNormal,
    Sylvester,
    TriangularSylvester,
)
from wavegen.flows.parameters import positive_slope

KINDS = {
    "orthogonal": (OrthogonalSylvester, (4, 3)),
    "householder": (HouseholderSylvester, (4, 3)),
    "triangular": (TriangularSylvester, (4,)),
}


@pytest.fixture(params=KINDS)
def kind(request):
    torch.manual_seed(0)
    return KINDS[request.param]


def strong(flow, std=1.0):
    for parameter in flow.parameters():
        nn.init.normal_(parameter, std=std)
    return flow.double()


def matrices(flow):
    """Q, R, R̃ and b, dense, from the table by the order that the documentation states."""
    table, rank = flow.parameter_source.table, flow.rank
    above = rank * (rank - 1) // 2
    first = flow.basis.num_parameters
    parts = table[first:].split([above, above, rank, rank, rank])
    diagonal_tilde = parts[3].exp()
    diagonal = (positive_slope(parts[2] * diagonal_tilde) - 1) / diagonal_tilde
    r, r_tilde = torch.diag(diagonal), torch.diag(diagonal_tilde)
    at = 0
    for i in range(rank):
        for j in range(i + 1, rank):
            r[i, j], r_tilde[i, j] = parts[0][at], parts[1][at]
            at += 1
    _, embed = flow.basis(table[:first])
    return embed(torch.eye(rank, dtype=table.dtype)).mT, r, r_tilde, parts[4]


def test_the_formula_written_out(kind):
    build, arguments = kind
    flow = strong(build(*arguments)).requires_grad_(False)
    q, r, r_tilde, b = matrices(flow)
    x = torch.randn(6, 4, dtype=torch.float64)
    activation = x @ q @ r_tilde.mT + b
    z, log_det = flow(x)
    torch.testing.assert_close(z, x + torch.tanh(activation) @ r.mT @ q.mT)
    slope = 1 - torch.tanh(activation) ** 2
    full = torch.eye(4, dtype=torch.float64) + q @ r @ torch.diag_embed(slope) @ r_tilde @ q.mT
    torch.testing.assert_close(log_det, torch.linalg.slogdet(full)[1])
    assert (torch.linalg.slogdet(full)[0] == 1).all()
    assert (r.diagonal() * r_tilde.diagonal() > -1).all()


def test_the_parameters_are_counted_beforehand(kind):
    build, arguments = kind
    number = build.count_parameters(*arguments)
    assert build(*arguments, parameters=FreeParameters(number)).num_parameters == number
    with pytest.raises(UserError, match=f"{build.__name__}: expected a module of {number} parameters"):
        build(*arguments, parameters=FreeParameters(number + 1))


def test_products_of_diagonals_are_not_bounded_by_one():
    """Stretching by more than 2 in one layer, which tanh on both diagonals cannot."""
    flow = TriangularSylvester(1)
    with torch.no_grad():
        flow.parameter_source.table.copy_(torch.tensor([9.0, 0.0, 0.0]))
    assert flow(torch.zeros(1, 1))[1].item() > math.log(9)


@pytest.mark.parametrize("std", [0.1, 1.0, 3.0])
def test_round_trip_of_strong_maps(kind, std):
    build, arguments = kind
    flow = strong(build(*arguments), std)
    x = 2 * torch.randn(100, 4, dtype=torch.float64)
    z, log_det = flow(x)
    jacobian = torch.stack([torch.autograd.functional.jacobian(lambda v: flow(v)[0], one) for one in x[:20]])
    condition = torch.linalg.cond(jacobian).max().item() * (1 + z.abs().max().item())
    for recording in (True, False):
        with torch.set_grad_enabled(recording):
            returned, inverse_log_det = flow.inverse(z)
        assert (returned - x).abs().max() < 1e-13 * condition
        assert (inverse_log_det + log_det).abs().max() < 1e-12 * condition


def test_every_member_of_an_amortised_batch_has_its_own_map(kind):
    build, arguments = kind
    net = nn.Linear(2, build.count_parameters(*arguments)).double()
    flow = build(*arguments, parameters=net)
    context, x = torch.randn(3, 2, dtype=torch.float64), torch.randn(3, 5, 4, dtype=torch.float64)
    z, log_det = flow(x, context)
    returned, inverse_log_det = flow.inverse(z, context)
    torch.testing.assert_close(returned, x)
    torch.testing.assert_close(inverse_log_det, -log_det)
    for i in range(3):
        free = build(*arguments).double()
        free.parameter_source.table.data = net(context[i]).detach()
        alone, alone_log_det = free(x[i])
        torch.testing.assert_close(alone, z[i])
        torch.testing.assert_close(alone_log_det, log_det[i])


def test_density_at_arbitrary_points_integrates_to_one():
    torch.manual_seed(0)
    bijection = Compose(
        OrthogonalSylvester(2, 1),
        HouseholderSylvester(2, 2),
        TriangularSylvester(2),
        TriangularSylvester(2, order=[1, 0]),
    ).inv
    flow = Flow(bijection=strong(bijection, 0.7), base=StandardNormal((2,))).double()
    axis = torch.linspace(-16, 16, 401, dtype=torch.float64)
    with torch.no_grad():
        log_prob = flow().log_prob(torch.cartesian_prod(axis, axis))
        x, joint = flow().rsample_and_log_prob((50,))
        torch.testing.assert_close(flow().log_prob(x), joint, rtol=1e-8, atol=1e-8)
    assert abs((log_prob.exp().sum() * (axis[1] - axis[0]) ** 2).item() - 1) < 1e-3


def test_extreme_slopes_stay_invertible_in_float32(kind):
    build, arguments = kind
    flow = build(*arguments).float()
    with torch.no_grad():
        rank = flow.rank
        table = flow.parameter_source.table.zero_()
        # r̃ = 1 and s at its floor or far above 1
        table[-3 * rank : -2 * rank] = torch.tensor([-1e4, 50.0] * rank)[:rank]
    x = torch.randn(50, 4)
    z, log_det = flow(x)
    assert log_det.isfinite().all()
    assert (flow.inverse(z)[0] - x).abs().max() < 2e-3


def test_autocast_does_not_narrow(kind):
    build, arguments = kind
    flow = build(*arguments, parameters=nn.Linear(2, build.count_parameters(*arguments)))
    x, context = torch.randn(3, 4), torch.randn(3, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z, log_det = flow(x, context)
        returned, _ = flow.inverse(z, context)
    assert z.dtype == log_det.dtype == torch.float32
    torch.testing.assert_close(returned, x, rtol=1e-4, atol=1e-4)


def test_shapes_and_errors():
    flow = TriangularSylvester(3)
    assert flow(torch.zeros(3))[1].shape == () and flow(torch.zeros(2, 5, 3))[1].shape == (2, 5)
    assert "rank=3" in repr(flow) and isinstance(flow, Sylvester)
    with pytest.raises(
        UserError, match=r"TriangularSylvester: expected events of 3 features, got shape \(4,\)"
    ):
        flow(torch.zeros(4))
    with pytest.raises(UserError, match="expected an order of 3 features, got 2 of them"):
        TriangularSylvester(3, order=[1, 0])
