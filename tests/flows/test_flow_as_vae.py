"""A flow is a variational autoencoder whose encoder and decoder have become deterministic.

Encoder q(z | x) = N(f(x), σ² J Jᵀ) with J = ∂f/∂x, decoder p(x | z) = N(g(z), σ² I), g = f⁻¹. With
z = f(x) + σ J ε, ε ~ N(0, I),

    log q(z | x) = −‖ε‖²/2 − (D/2) log 2πσ² − log|det J|,
    log p(x | z) = −‖x − g(z)‖²/(2σ²) − (D/2) log 2πσ²,    x − g(z) = −σ ε + O(σ²),

so that in ELBO = E_q [log p(x | z) + log p(z) − log q(z | x)] the noise and its normalisers cancel as σ → 0,
and what remains is log p(f(x)) + log|det J|: the flow's log-likelihood. (Nielsen et al. 2020, SurVAE flows,
arXiv 2007.02731.) The terms of first order in σ are odd in ε and vanish in expectation: with ε and −ε
drawn together the error falls as σ².
"""

import math

import pytest
import torch

from wavegen.flows import (
    Affine,
    Autoregressive,
    Compose,
    Flow,
    MixtureOfLogisticsLogit,
    StandardLogistic,
)
from wavegen.nets.made import MADE

DIMS = 3
SIGMAS = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3)


def nonlinear_flow():
    torch.manual_seed(3)

    def layer(transform):
        made = MADE(DIMS, transform.num_parameters, [16])
        with torch.no_grad():
            for parameter in made.parameters():
                parameter.add_(0.2 * torch.randn_like(parameter))
        return Autoregressive(transform=transform, conditioner=made)

    bijection = Compose(layer(Affine()), layer(MixtureOfLogisticsLogit(2, -9.0)), layer(Affine()).inv)
    return Flow(bijection=bijection, base=StandardLogistic((DIMS,))).double().requires_grad_(False)


def elbo(flow, x, sigma, noise):
    """Of one x, averaged over draws: every density written out, nothing taken from the flow's log-det."""
    bijection, prior = flow.bijection, flow.base()
    jacobian = torch.autograd.functional.jacobian(lambda value: bijection(value[None])[0][0], x)
    mean = bijection(x[None])[0][0]
    encoder = torch.distributions.MultivariateNormal(mean, scale_tril=lower_factor(sigma * jacobian))
    z = mean + sigma * noise @ jacobian.mT
    decoded = bijection.inverse(z)[0]
    log_decoder = torch.distributions.Normal(decoded, sigma).log_prob(x).sum(-1)
    return (log_decoder + prior.log_prob(z) - encoder.log_prob(z)).mean()


def lower_factor(matrix):
    """L lower triangular with positive diagonal and L Lᵀ = M Mᵀ, without squaring M's condition."""
    upper = torch.linalg.qr(matrix.mT).R
    return (upper * upper.diagonal().sign()[:, None]).mT


@pytest.fixture(scope="module")
def errors():
    flow = nonlinear_flow()
    torch.manual_seed(0)
    x = torch.randn(4, DIMS, dtype=torch.float64)
    half = torch.randn(64, DIMS, dtype=torch.float64)
    expected = flow().log_prob(x)
    found = {}
    for name, noise in (("one-sided", half), ("antithetic", torch.cat([half, -half]))):
        values = torch.stack([torch.stack([elbo(flow, one, sigma, noise) for one in x]) for sigma in SIGMAS])
        found[name] = (values - expected).abs().amax(1)
    return found


def order(errors):
    """The slope of log error over log σ, between the largest σ and the smallest."""
    return math.log(errors[0] / errors[-1]) / math.log(SIGMAS[0] / SIGMAS[-1])


def test_the_elbo_becomes_the_flow_s_likelihood(errors):
    assert errors["antithetic"][-1] < 1e-4
    assert (errors["antithetic"].diff() < 0).all()


def test_the_error_falls_as_the_square_and_for_single_draws_linearly(errors):
    assert 1.8 < order(errors["antithetic"]) < 2.2
    assert 0.8 < order(errors["one-sided"]) < 1.4
    assert errors["one-sided"][-1] > 10 * errors["antithetic"][-1]


def test_an_encoder_that_ignores_the_jacobian_has_another_limit():
    """With q = N(f(x), σ² I) noise and normalisers do not cancel: the theorem needs σ² J Jᵀ."""
    flow = nonlinear_flow()
    torch.manual_seed(0)
    x = torch.randn(DIMS, dtype=torch.float64)
    noise = torch.randn(4096, DIMS, dtype=torch.float64)
    sigma = 1e-3
    z = flow.bijection(x[None])[0][0] + sigma * noise
    decoded = flow.bijection.inverse(z)[0]
    log_decoder = torch.distributions.Normal(decoded, sigma).log_prob(x).sum(-1)
    log_encoder = torch.distributions.Normal(z - sigma * noise, sigma).log_prob(z).sum(-1)
    value = (log_decoder + flow.base().log_prob(z) - log_encoder).mean()
    assert flow().log_prob(x) - value > 0.1
