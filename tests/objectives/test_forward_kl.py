import torch
from torch import nn
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from wavegen.flows import (
    Affine,
    Autoregressive,
    BoundedLogScale,
    Compose,
    Flow,
    StandardNormal,
)
from wavegen.nets.made import MADE
from wavegen.objectives.forward_kl import forward_kl


def two_layers():
    def layer(order):
        conditioner = MADE(2, 2, [16], order=order)
        transform = Affine(log_scale_activation=BoundedLogScale())
        return Autoregressive(transform=transform, conditioner=conditioner)

    return Flow(bijection=Compose(layer([0, 1]), layer([1, 0])), base=StandardNormal([2])).double()


def test_gradient_is_that_of_the_gaussian_likelihood():
    """Of N(m, e^2s): ∂/∂m = −mean(x − m) e^−2s, ∂/∂s = 1 − mean((x − m)²) e^−2s."""
    x = 1.5 + 0.5 * torch.randn(200, dtype=torch.float64)
    mean = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    log_scale = torch.tensor(-0.2, dtype=torch.float64, requires_grad=True)
    forward_kl(Normal(mean, log_scale.exp()), x).backward()
    precision = torch.exp(-2 * log_scale).detach()
    torch.testing.assert_close(mean.grad, -(x - mean).mean().detach() * precision)
    torch.testing.assert_close(log_scale.grad, 1 - (x - mean).square().mean().detach() * precision)


def test_with_the_entropy_it_is_the_closed_form_between_gaussians():
    p = MultivariateNormal(
        torch.tensor([0.5, -1.0]).double(), torch.tensor([[1.0, 0.4], [0.4, 0.5]]).double()
    )
    q = MultivariateNormal(torch.zeros(2).double(), torch.tensor([[2.0, 0.0], [0.0, 1.0]]).double())
    x = p.sample([200_000])
    terms = p.log_prob(x) - q.log_prob(x)
    estimate = forward_kl(q, x) + p.log_prob(x).mean()
    torch.testing.assert_close(estimate, terms.mean())
    assert abs(float(estimate - kl_divergence(p, q))) < 4 * float(terms.std()) / len(x) ** 0.5


def test_forward_in_data_space_is_reverse_in_latent_space():
    """KL(p_x ‖ q_x) = KL(p_z ‖ q_z), draw by draw: log p_x(x) − log q_x(x) = log p_z(z) − log q_z(z).

    p_z is the law of z = f(x), x ~ p_x: p_x pushed through f, built independently as a flow whose base is
    p_x and whose bijection is f read the other way.
    """
    flow = two_layers()
    p_x = MultivariateNormal(
        torch.tensor([0.5, -1.0]).double(), torch.tensor([[1.0, 0.6], [0.6, 0.8]]).double()
    )
    p_z = Flow(bijection=flow.bijection.inv, base=lambda context: p_x)()
    x = p_x.sample([500])
    z, _ = flow().normalise(x)
    in_x = p_x.log_prob(x) - flow().log_prob(x)
    in_z = p_z.log_prob(z) - StandardNormal([2]).double()().log_prob(z)
    torch.testing.assert_close(in_x, in_z, rtol=1e-10, atol=1e-10)
    # and the reverse KL of p_z's own draws, from the same noise, is the forward one's objective
    torch.manual_seed(7)
    x = p_x.sample([500])
    forward = forward_kl(flow(), x) + p_x.log_prob(x).mean()
    torch.manual_seed(7)
    drawn, log_prob = p_z.rsample_and_log_prob([500])
    reverse = (log_prob - StandardNormal([2]).double()().log_prob(drawn)).mean()
    torch.testing.assert_close(forward, reverse, rtol=1e-10, atol=1e-10)


def test_descent_finds_the_gaussian():
    """Maximum likelihood of an affine flow is the sample mean and covariance."""
    x = torch.randn(400, 2, dtype=torch.float64) @ torch.tensor([[1.0, 0.7], [0.0, 0.4]]).double() + 1.0

    class Linear(nn.Module):  # parameters of x_i linear in x_<i: the Cholesky factor of a Gaussian
        num_parameters = 2

        def __init__(self):
            super().__init__()
            self.bias = nn.Parameter(torch.zeros(2, 2, dtype=torch.float64))
            self.slope = nn.Parameter(torch.zeros((), dtype=torch.float64))

        def forward(self, x, context=None):
            loc = torch.stack([torch.zeros_like(x[..., 0]), self.slope * x[..., 0]], -1)
            return self.bias + torch.stack([loc, torch.zeros_like(loc)], -1)

    flow = Flow(
        bijection=Autoregressive(transform=Affine(), conditioner=Linear()), base=StandardNormal([2]).double()
    )
    optimizer = torch.optim.LBFGS(
        flow.parameters(),
        max_iter=200,
        line_search_fn="strong_wolfe",
        tolerance_grad=1e-12,
        tolerance_change=1e-18,
    )

    def closure():
        optimizer.zero_grad()
        loss = forward_kl(flow(), x)
        loss.backward()
        return loss

    optimizer.step(closure)
    best = MultivariateNormal(x.mean(0), torch.cov(x.T, correction=0))
    torch.testing.assert_close(flow().log_prob(x).detach(), best.log_prob(x), rtol=1e-6, atol=1e-6)


def test_the_batch_shape_of_the_distribution_is_averaged():
    means = torch.arange(3.0).double()
    x = torch.randn(5, 3, 2).double()
    q = Independent(Normal(means.unsqueeze(-1).expand(3, 2), 1.0), 1)
    torch.testing.assert_close(forward_kl(q, x), -q.log_prob(x).sum() / 15)
