import math

import torch

from wavegen.flows import MixtureOfLogisticsCDF, MixtureOfLogisticsLogit


def test_the_logit_form_does_not_stick_where_the_cdf_saturates():
    """At 1,000 scales in float32: z is the distance in scales, the derivative one over the scale."""
    tau = MixtureOfLogisticsLogit(1, -9.0)
    parameters = torch.tensor([[0.0, 0.0, -3.0]]).expand(4, 3)
    u = torch.tensor([-1000.0, -18.0, 18.0, 1000.0])
    z, log_derivative = tau(u * math.exp(-3.0), parameters)
    torch.testing.assert_close(z, u, rtol=1e-5, atol=0)
    torch.testing.assert_close(log_derivative, torch.full((4,), 3.0), rtol=0, atol=2e-4)
    x, inverse_log_derivative = tau.inverse(u, parameters)
    torch.testing.assert_close(x, u * math.exp(-3.0), rtol=1e-5, atol=0)
    torch.testing.assert_close(inverse_log_derivative, -log_derivative, rtol=0, atol=4e-4)


def test_cdf_keeps_its_exact_log_derivative_where_z_is_one():
    tau = MixtureOfLogisticsCDF(1, -9.0)
    z, log_derivative = tau(torch.tensor([50.0]), torch.tensor([[0.0, 0.0, 0.0]]))
    assert z.item() == 1.0 and log_derivative.item() == -50.0


def test_inverse_of_the_closed_ends_is_finite():
    tau = MixtureOfLogisticsCDF(3, -9.0)
    x, log_derivative = tau.inverse(torch.tensor([0.0, 1.0]), torch.randn(2, 9))
    assert x.isfinite().all() and log_derivative.isfinite().all()


def test_implicit_gradient_of_the_inverse():
    torch.manual_seed(0)
    for tau in (MixtureOfLogisticsCDF(3, -9.0), MixtureOfLogisticsLogit(3, -9.0)):
        parameters = torch.randn(5, 9, dtype=torch.float64, requires_grad=True)
        z = torch.rand(5, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(tau.inverse, (z, parameters))


def test_quantiles_need_no_graph():
    tau = MixtureOfLogisticsLogit(3, -9.0)
    with torch.no_grad():
        assert not tau.inverse(torch.randn(5), torch.randn(5, 9, requires_grad=True))[0].requires_grad
