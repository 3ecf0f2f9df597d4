import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from wavegen.flows import Affine, Autoregressive, BoundedLogScale, Compose, Flow, StandardNormal
from wavegen.nets.made import MADE
from wavegen.objectives.reverse_kl import reverse_kl, reverse_kl_along_path

ESTIMATORS = [reverse_kl, reverse_kl_along_path]
TARGET = MultivariateNormal(
    torch.tensor([0.5, -1.0]).double(), torch.tensor([[1.0, 0.4], [0.4, 0.5]]).double()
)
LOG_NORMALISER = 2.5


def unnormalised(x):
    return TARGET.log_prob(x) + LOG_NORMALISER


def inverse_autoregressive():
    conditioner = MADE(2, 2, [8])
    layer = Autoregressive(transform=Affine(log_scale_activation=BoundedLogScale()), conditioner=conditioner)
    return Flow(bijection=layer.inv, base=StandardNormal([2])).double()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_value_is_the_closed_form_between_gaussians_less_the_log_normaliser(estimator):
    q = MultivariateNormal(torch.zeros(2).double(), torch.tensor([[0.5, 0.1], [0.1, 0.6]]).double())
    exact = float(kl_divergence(q, TARGET)) - LOG_NORMALISER
    values = torch.stack([estimator(q, unnormalised, 2000) for _ in range(50)])
    assert abs(float(values.mean()) - exact) < 4 * float(values.std()) / 50**0.5 < 0.05


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_gradient_is_unbiased(estimator):
    """Against the analytic gradient of KL(N(m, e^2s) ‖ N(0, 1)): ∂/∂m = m, ∂/∂s = e^2s − 1."""
    mean = torch.tensor([0.8], dtype=torch.float64, requires_grad=True)
    log_scale = torch.tensor([-0.3], dtype=torch.float64, requires_grad=True)
    standard = Normal(torch.zeros(1).double(), 1.0)
    gradients = []
    for _ in range(200):
        q = torch.distributions.Independent(Normal(mean, log_scale.exp()), 1)
        loss = estimator(q, lambda x: standard.log_prob(x).sum(-1) + 3.0, 200)
        gradients.append(torch.cat(torch.autograd.grad(loss, [mean, log_scale])))
    gradients = torch.stack(gradients)
    exact = torch.cat([mean, torch.exp(2 * log_scale) - 1]).detach()
    error = (gradients.mean(0) - exact).abs()
    assert (error < 4 * gradients.std(0) / 200**0.5).all()
    assert (gradients.std(0) / 200**0.5 < 0.02).all()


def test_both_gradients_of_a_flow_agree_in_the_mean():
    flow = inverse_autoregressive()
    parameters = list(flow.parameters())

    def gradient(estimator):
        loss = estimator(flow(), unnormalised, 1000)
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)])

    # pairs from the same noise, so that the difference is that of the estimators alone
    differences = []
    for seed in range(60):
        pair = []
        for estimator in ESTIMATORS:
            torch.manual_seed(seed)
            pair.append(gradient(estimator))
        differences.append(pair[0] - pair[1])
    differences = torch.stack(differences)
    error = differences.std(0) / 60**0.5
    assert (differences.mean(0).abs() <= 4.5 * error + 1e-12).all()
    assert float(differences.abs().max()) > 1e-4, "the estimators are one"


def test_on_the_path_the_gradient_vanishes_at_the_optimum():
    """Where q = p every single draw's path gradient is zero; the full one is noise about zero."""
    mean = TARGET.mean.clone().requires_grad_()
    factor = TARGET.scale_tril.clone().requires_grad_()
    q = MultivariateNormal(mean, scale_tril=factor)
    for gradient in torch.autograd.grad(reverse_kl_along_path(q, unnormalised, 7), [mean, factor]):
        assert float(gradient.abs().max()) < 1e-12
    q = MultivariateNormal(mean, scale_tril=factor)
    (full,) = torch.autograd.grad(reverse_kl(q, unnormalised, 7), [factor])
    assert float(full.abs().max()) > 1e-2


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_change_of_variables_on_both_sides_changes_nothing(estimator):
    """KL(q ‖ p) is the same after one bijection of q and p, draw by draw from common noise."""
    q = inverse_autoregressive()
    change = Autoregressive(transform=Affine(), conditioner=MADE(2, 2, [8])).double()
    moved = Flow(bijection=Compose(change, q.bijection), base=q.base)

    def moved_log_density(y):
        x, log_det = change(y)
        return unnormalised(x) + log_det

    torch.manual_seed(3)
    before = estimator(q(), unnormalised, 100)
    torch.manual_seed(3)
    after = estimator(moved(), moved_log_density, 100)
    torch.testing.assert_close(before, after, rtol=1e-10, atol=1e-10)
    parameters = list(q.parameters())
    for old, new in zip(
        torch.autograd.grad(before, parameters), torch.autograd.grad(after, parameters), strict=True
    ):
        torch.testing.assert_close(old, new, rtol=1e-8, atol=1e-8)


def test_an_inverse_autoregressive_flow_is_fitted_in_single_passes():
    """One pass of the conditioner a step: x, log q(x) and their gradient need no iteration."""
    flow = inverse_autoregressive()
    passes = []
    flow.bijection.bijection.conditioner.register_forward_hook(lambda *_: passes.append(1))
    reverse_kl(flow(), unnormalised, 10).backward()
    assert len(passes) == 1


def test_an_unnormalised_bound_of_the_log_normaliser():
    """−reverse_kl is a lower bound of log Z in expectation, reached by the target itself."""
    exact = -reverse_kl(TARGET, unnormalised, 5)
    torch.testing.assert_close(exact, torch.tensor(LOG_NORMALISER).double())
    assert isinstance(flow := inverse_autoregressive(), nn.Module)
    assert float(-reverse_kl(flow(), unnormalised, 4000)) < LOG_NORMALISER - 0.01
