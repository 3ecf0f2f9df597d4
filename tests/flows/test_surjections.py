import math

import pytest
import torch
from torch import nn
from torch.distributions import Beta, Distribution, Exponential, HalfNormal, Independent, Normal

from wavegen.errors import UserError
from wavegen.flows import (
    AbsoluteValue,
    Affine,
    Augment,
    Autoregressive,
    Chain,
    Flow,
    Slice,
    StandardLogistic,
    StandardNormal,
    VariationalDequantization,
    with_context,
)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


class LinearNormal(nn.Module):
    """N(slope · mean of the condition + shift, scale²) for each of ``size`` entries."""

    def __init__(self, size, slope=0.8, shift=0.1, scale=0.6):
        super().__init__()
        self.size, self.scale = size, scale
        self.slope = nn.Parameter(torch.tensor(slope, dtype=torch.float64))
        self.shift = shift

    def forward(self, condition) -> Distribution:
        mean = self.slope * condition.mean(1, keepdim=True) + self.shift
        rank = condition.dim() - 1
        repeated = mean.repeat(1, self.size, *[1] * (rank - 1))
        return Independent(Normal(repeated, self.scale), rank)


class Mixing(nn.Module):
    """A strictly causal conditioner: entry i sees the sum of those before it."""

    num_parameters = 2

    def forward(self, x, context=None):
        before = x.cumsum(-1) - x
        return torch.stack([0.5 * before, torch.tanh(0.7 * before + 0.2)], -1)


def maf():
    return Autoregressive(transform=Affine(), conditioner=Mixing())


def grid(num_dims, half_width, steps):
    axis = torch.linspace(-half_width, half_width, steps, dtype=torch.float64)
    points = torch.cartesian_prod(*[axis] * num_dims).reshape(-1, num_dims)
    return points, (2 * half_width / (steps - 1)) ** num_dims


def test_slice_is_an_exact_density_of_the_whole():
    flow = Flow(
        bijection=Chain(maf(), Slice(1, 1, prior=LinearNormal(1))), base=StandardLogistic((1,))
    ).double()
    assert not flow.is_bound
    points, cell = grid(2, 40, 801)
    with torch.no_grad():
        log_prob = flow().log_prob(points)
        assert abs((log_prob.exp().sum() * cell).item() - 1) < 1e-4
        assert torch.equal(log_prob, flow().log_prob(points))
        # its draws follow that density
        x = flow().sample((20_000,))
    # E[x1] of the model: z1 = x1 logistic ⇒ mean 0; sign and size of the drawn half follow the kept one
    z, _ = flow.bijection.members[0](x)
    residual = (z[:, 1] - 0.8 * z[:, 0] - 0.1) / 0.6
    assert abs(residual.mean().item()) < 4 / math.sqrt(20_000) and abs(residual.std().item() - 1) < 0.03


def test_slice_of_channels_and_its_terms():
    layer = Slice(2, 3, prior=LinearNormal(3), event_dim=3)
    x = torch.randn(4, 5, 2, 2, dtype=torch.float64)
    z, term = layer(x)
    assert torch.equal(z, x[:, :2]) and term.shape == (4,)
    mean = 0.8 * x[:, :2].mean(1, keepdim=True) + 0.1
    torch.testing.assert_close(term, Normal(mean, 0.6).log_prob(x[:, 2:]).flatten(1).sum(1))
    generated, inverse_term = layer.inverse(z)
    assert torch.equal(generated[:, :2], z) and not torch.equal(generated, x)
    torch.testing.assert_close(inverse_term, -layer(generated)[1])
    assert layer.forward_shape((5, 2, 2)) == (2, 2, 2) and layer.inverse_shape((2, 2, 2)) == (5, 2, 2)
    # batches of any rank
    assert layer(x.reshape(2, 2, 5, 2, 2))[1].shape == (2, 2)


def test_flows_as_priors_and_noise():
    prior = Flow(bijection=maf().inv, base=StandardNormal((2,)))
    x = torch.randn(6, 4)
    for layer in (Slice(2, 2, prior=prior), Augment(2, noise=prior)):
        z, term = layer(x)
        returned, inverse_term = layer.inverse(z)
        assert term.shape == (6,) and returned.shape == x.shape
        torch.testing.assert_close(layer.inverse(layer(x)[0])[0][:, :2], x[:, :2])
        torch.testing.assert_close(
            inverse_term, -layer(returned)[1] if isinstance(layer, Slice) else -term, atol=1e-4, rtol=1e-4
        )


class JointNormal(nn.Module):
    """(x, u) of mean 0, unit variances and correlation ρ: the base of the augmented model."""

    def forward(self, context=None):
        covariance = torch.tensor([[1.0, 0.7], [0.7, 1.0]], dtype=torch.float64)
        return torch.distributions.MultivariateNormal(torch.zeros(2, dtype=torch.float64), covariance)


def test_augment_is_a_bound_and_tight_for_the_posterior():
    x = torch.linspace(-2, 2, 5, dtype=torch.float64)[:, None]
    exact = Normal(0.0, 1.0).log_prob(x[:, 0])
    best = Flow(
        bijection=Augment(1, noise=LinearNormal(1, 0.7, 0.0, math.sqrt(1 - 0.49))), base=JointNormal()
    )
    assert best.is_bound
    torch.testing.assert_close(best().log_prob(x), exact, rtol=0, atol=1e-10)

    slope, shift, scale = 0.3, 0.2, 1.1
    worse = Flow(bijection=Augment(1, noise=LinearNormal(1, slope, shift, scale)), base=JointNormal())
    num_draws = 20_000
    drawn = worse().log_prob(x.expand(num_draws, 5, 1)).detach()
    gap = torch.distributions.kl_divergence(
        Normal(slope * x[:, 0] + shift, scale), Normal(0.7 * x[:, 0], math.sqrt(1 - 0.49))
    ).detach()
    assert gap.min() > 0.05
    error = drawn.std(0) / math.sqrt(num_draws)
    assert ((drawn.mean(0) - (exact - gap)).abs() < 4 * error).all()


def test_augment_drops_what_it_added():
    layer = Augment(2, noise=LinearNormal(2), event_dim=3)
    x = torch.randn(3, 1, 2, 2, dtype=torch.float64)
    z, term = layer(x)
    assert z.shape == (3, 3, 2, 2) and term.shape == (3,) and torch.equal(z[:, :1], x)
    returned, inverse_term = layer.inverse(z)
    assert torch.equal(returned, x)
    torch.testing.assert_close(inverse_term, -term)
    assert layer.forward_shape((1, 2, 2)) == (3, 2, 2) and layer.inverse_shape((3, 2, 2)) == (1, 2, 2)
    term.sum().backward()
    assert layer.noise.slope.grad is not None


@pytest.mark.parametrize("positive", [HalfNormal, Exponential])
def test_absolute_value_makes_the_two_sided_density(positive):
    one = torch.ones(2, dtype=torch.float64)
    flow = Flow(bijection=AbsoluteValue(event_dim=1), base=lambda context: Independent(positive(one), 1))
    two_sided = {HalfNormal: Normal, Exponential: torch.distributions.Laplace}[positive](0.0, 1.0)
    assert not flow.is_bound
    x = torch.randn(50, 2, dtype=torch.float64)
    torch.testing.assert_close(flow().log_prob(x), two_sided.log_prob(x).sum(-1))
    points, cell = grid(2, 20, 800)
    assert abs((flow().log_prob(points).exp().sum() * cell).item() - 1) < 1e-3
    drawn = flow().sample((20_000,))
    assert ((drawn > 0).double().mean(0) - 0.5).abs().max() < 4 * 0.5 / math.sqrt(20_000)


def test_absolute_value_with_signs_that_depend_on_the_size():
    def sign_logit(z):
        return 0.5 + z

    one = torch.ones(1, dtype=torch.float64)
    layer = AbsoluteValue(sign_logit=sign_logit, event_dim=1)
    flow = Flow(bijection=layer, base=lambda context: Independent(HalfNormal(one), 1))
    points, cell = grid(1, 12, 40_000)  # an even number: the density jumps at 0
    density = flow().log_prob(points).exp()
    assert abs((density.sum() * cell).item() - 1) < 1e-6
    positive = (density[points[:, 0] > 0].sum() * cell).item()
    drawn = flow().sample((40_000,))
    assert positive > 0.7 and abs((drawn > 0).double().mean().item() - positive) < 4 * 0.5 / 200
    x = torch.tensor([[-1.0], [2.0], [0.0]], dtype=torch.float64)
    z, term = layer(x)
    expected = torch.sigmoid(torch.tensor([-1.5, 2.5, 0.5], dtype=torch.float64)).log()
    torch.testing.assert_close(term, expected)
    returned, inverse_term = layer.inverse(z)
    torch.testing.assert_close(layer(returned)[1], -inverse_term)


def test_terms_of_series_are_summed():
    chain = Chain(
        AbsoluteValue(), Augment(1, noise=LinearNormal(1)), maf(), Slice(2, 2, prior=LinearNormal(2))
    )
    x = torch.randn(5, 3, dtype=torch.float64)
    torch.manual_seed(1)
    z, term = chain(x)
    torch.manual_seed(1)
    value, total = x, torch.zeros(5, dtype=torch.float64)
    for member in chain.members:
        value, one = member(value)
        total = total + (one.sum(-1) if one.dim() > 1 else one)
    assert chain.is_bound and torch.equal(value, z) and z.shape == (5, 2)
    torch.testing.assert_close(term, total)
    assert chain.forward_shape((3,)) == (2,) and chain.inverse_shape((2,)) == (3,)


def test_errors_say_what_was_expected():
    layer = Slice(2, 1, prior=LinearNormal(1))
    with pytest.raises(UserError, match="Slice: expected 3 entries in dimension −1, got .* shape .2, 4."):
        layer(torch.zeros(2, 4))
    with pytest.raises(UserError, match="Slice: expected 2 entries"):
        layer.inverse(torch.zeros(2, 3))
    with pytest.raises(UserError, match="at least 1 entry kept and 1 dropped, got 0 and 1"):
        Slice(0, 1, prior=LinearNormal(1))
    with pytest.raises(UserError, match=r"events of shape \(2,\) in a batch of 3, got events of \(1,\)"):
        Slice(1, 2, prior=LinearNormal(1))(torch.zeros(3, 3))
    with pytest.raises(UserError, match="num_extra of at least 1, got 0"):
        Augment(0, noise=LinearNormal(1))
    with pytest.raises(UserError, match="Augment: expected more than 2 entries"):
        Augment(2, noise=LinearNormal(2)).inverse(torch.zeros(3, 2))
    with pytest.raises(UserError, match="event_dim of at least 1, got 0"):
        Augment(2, noise=LinearNormal(2), event_dim=0)
    with pytest.raises(UserError, match="base values of at least 0, got -1.0"):
        AbsoluteValue().inverse(torch.tensor([1.0, -1.0]))


def test_signs_of_another_shape_are_refused():
    shared = AbsoluteValue(sign_logit=lambda z: z[..., :1], event_dim=1)
    for direction in (shared, shared.inverse):
        with pytest.raises(UserError, match=r"expected log-odds of shape \(2, 3\), got \(2, 1\)"):
            direction(torch.ones(2, 3))


def test_signs_are_scored_in_float32():
    for layer in (AbsoluteValue(event_dim=1), AbsoluteValue(sign_logit=torch.zeros_like, event_dim=1)):
        z, term = layer(-torch.ones(2, 1000, dtype=torch.bfloat16))
        assert z.dtype == term.dtype == torch.float32
        torch.testing.assert_close(term, torch.full((2,), -1000 * math.log(2)))
        assert layer.inverse(z.bfloat16())[1].dtype == torch.float32


@pytest.mark.parametrize("draws", [(), (5,)])
def test_a_slice_and_an_augmentation_meet_their_own_context(draws):
    """The terms of every member are those of the member alone with its own context."""

    def conditional(condition):
        loc = condition["value"].mean(-1, keepdim=True) + condition["context"]
        return Independent(Normal(loc, 0.5), 1)

    context = torch.randn(4, 2, dtype=torch.float64)
    x = torch.randn(*draws, 4, 3, dtype=torch.float64)
    sliced = Slice(1, 2, prior=conditional, reader=with_context)
    kept, term = sliced(x, context)
    expected = Normal(x[..., :1] + context, 0.5).log_prob(x[..., 1:]).sum(-1)
    assert torch.equal(kept, x[..., :1])
    torch.testing.assert_close(term, expected)
    assert not torch.allclose(term, sliced(x, context.flip(0))[1])

    augmented, term = Augment(2, noise=conditional, reader=with_context)(x, context)
    expected = -Normal(x.mean(-1, keepdim=True) + context, 0.5).log_prob(augmented[..., 3:]).sum(-1)
    torch.testing.assert_close(term, expected)
    _, again = Augment(2, noise=conditional, reader=with_context).inverse(augmented, context)
    torch.testing.assert_close(again, -term)


def test_dequantisation_noise_depends_on_the_context():
    def noise(condition):
        centre = torch.sigmoid(condition["context"])[:, None, None, None].expand_as(condition["value"])
        return Independent(Beta(20 * centre, 20 * (1 - centre)), 3)

    layer = VariationalDequantization(noise=noise, reader=with_context).double()
    x = torch.full((2, 1, 8, 8), 7.0, dtype=torch.float64)
    context = torch.tensor([[-2.0], [2.0]], dtype=torch.float64)
    position = (256 * layer(x, context[:, 0])[0] - 7).mean((1, 2, 3))
    torch.testing.assert_close(position, torch.sigmoid(context[:, 0]), rtol=0, atol=0.06)
