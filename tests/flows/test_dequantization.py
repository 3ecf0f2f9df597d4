import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.distributions import Beta, Independent, Uniform

from wavegen.distributions import LogisticMixture
from wavegen.errors import UserError
from wavegen.flows import (
    Affine,
    Autoregressive,
    Compose,
    Flow,
    Sigmoid,
    StandardLogistic,
    StandardUniform,
    UniformDequantization,
    VariationalDequantization,
)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


class AtTheEdge(nn.Module):
    """Noise that always draws one number."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def forward(self, features):
        number = self.number

        class Stuck(Uniform):
            def rsample(self, sample_shape=()):
                return super().rsample(sample_shape) * 0 + number

        zeros = torch.zeros_like(features)
        return Independent(Stuck(zeros, zeros + 1, validate_args=False), features.dim() - 1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_level_leaves_its_cell_by_rounding(dtype):
    below_one = torch.nextafter(torch.ones((), dtype=dtype), torch.zeros((), dtype=dtype)).item()
    for num_levels in [*range(1, 40), 100, 255, 256, 257, 1000, 65536]:
        levels = torch.arange(num_levels).to(dtype)
        for number in (0.0, below_one, 1.0, 0.5):
            layer = VariationalDequantization(noise=AtTheEdge(number), num_levels=num_levels, event_dim=1)
            y, _ = layer(levels[None])
            assert y.dtype == dtype and y.min() >= 0 and y.max() < 1
            assert torch.equal(layer.inverse(y)[0][0], levels), (num_levels, number)


@settings(deadline=None, max_examples=30)
@given(
    batch=st.lists(st.integers(1, 3), max_size=2),
    event=st.lists(st.integers(1, 3), max_size=3),
    num_levels=st.integers(1, 300),
    dtype=st.sampled_from([torch.uint8, torch.int64, torch.float32, torch.float64]),
)
def test_uniform_returns_the_levels_and_cancels(batch, event, num_levels, dtype):
    num_levels = min(num_levels, 256) if dtype == torch.uint8 else num_levels
    x = torch.randint(0, num_levels, (*batch, *event)).to(dtype)
    layer = UniformDequantization(num_levels, event_dim=len(event))
    y, term = layer(x)
    assert y.dtype == (dtype if dtype.is_floating_point else torch.float32)
    assert y.min() >= 0 and y.max() < 1 and y.shape == x.shape
    assert term.shape == tuple(batch)
    torch.testing.assert_close(term, torch.full_like(term, -math.prod(event) * math.log(num_levels)))
    returned, inverse_term = layer.inverse(y)
    assert torch.equal(returned, x.to(y.dtype)) and torch.equal(inverse_term, -term)
    assert layer.forward_shape(event) == layer.inverse_shape(event) == tuple(event)


def test_integers_take_the_type_of_the_model():
    layer = UniformDequantization().double()
    assert layer(torch.zeros(1, 1, 2, 2, dtype=torch.uint8))[0].dtype == torch.float64
    assert layer(torch.zeros(1, 1, 2, 2, dtype=torch.bfloat16))[0].dtype == torch.float32
    assert not layer.state_dict()


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.tensor([[0, 256]]), r"from 0 to 255, got values from 0 to 256"),
        (torch.tensor([[-1, 3]]), r"got values from -1 to 3"),
        (torch.tensor([[0.5, 3.0]]), r"got fractions, values from 0.5 to 3.0"),
        (torch.tensor([[math.nan, 3.0]]), r"whole numbers from 0 to 255"),
        (torch.tensor([[math.inf, 3.0]]), r"values from 3.0 to inf"),
        (torch.tensor(3), r"at least 1 dimensions, got shape \(\)"),
    ],
)
def test_what_is_no_level_is_refused(x, message):
    for layer in (
        UniformDequantization(event_dim=1),
        VariationalDequantization(noise=AtTheEdge(0.5), event_dim=1),
    ):
        with pytest.raises(UserError, match=message):
            layer(x)


def test_construction_and_noise_of_another_shape_are_refused():
    with pytest.raises(UserError, match="a whole num_levels of at least 1, got 2.5"):
        UniformDequantization(2.5)
    for direction in (UniformDequantization(), UniformDequantization().inverse):
        with pytest.raises(UserError, match=r"at least 3 dimensions, got shape \(4, 4\)"):
            direction(torch.zeros(4, 4))
    with pytest.raises(UserError, match="num_levels of at least 1, got 0"):
        UniformDequantization(0)
    wrong = VariationalDequantization(noise=lambda features: StandardUniform((5,))(), event_dim=1)
    with pytest.raises(UserError, match=r"events of shape \(4,\) in a batch of 2, got events of \(5,\)"):
        wrong(torch.zeros(2, 4))


def test_values_of_the_wild_are_brought_to_the_levels():
    layer = UniformDequantization(4, event_dim=1)
    assert layer.inverse(torch.tensor([[-0.3, 0.0, 0.999, 1.0, 7.0]]))[0].tolist() == [[0, 0, 3, 3, 3]]


def test_uniform_data_is_exact():
    """With p_y = 1 on the unit cube every level has probability 1/L, and the bound is no bound any more."""
    flow = Flow(bijection=UniformDequantization(17), base=StandardUniform((2, 3, 3)))
    assert flow.is_bound
    x = torch.randint(0, 17, (5, 2, 3, 3))
    torch.testing.assert_close(flow().log_prob(x), torch.full((5,), -18 * math.log(17)))
    assert torch.equal(flow().sample((3,)) % 1, torch.zeros(3, 2, 3, 3))


NUM_LEVELS = 4


def mixture():
    """p_v over v on a line, of two logistics narrow enough to bend inside a cell; and p_y = L p_v(L y)."""
    as_double = {"dtype": torch.float64}
    logits = torch.tensor([0.3, -0.2], **as_double)
    loc, log_scale = torch.tensor([0.9, 2.4], **as_double), torch.tensor([-1.5, -1.0], **as_double)
    return LogisticMixture(logits, loc, log_scale)


class OfLevels(nn.Module):
    """y on a line under the mixture: only the levels 0 … L − 1 are looked at."""

    def forward(self, context=None):
        class Scaled(torch.distributions.Distribution):
            has_rsample = False

            def log_prob(self, y):
                return mixture().log_prob(y * NUM_LEVELS).sum(-1) + math.log(NUM_LEVELS)

        return Scaled(torch.Size(), torch.Size((1,)), validate_args=False)


def exact_log_probability(level):
    ends = torch.tensor([level, level + 1.0], dtype=torch.float64)
    low, high = mixture().cdf(ends)
    return torch.log(high - low).item()


class Posterior(nn.Module):
    """The exact q(u | x) = p_v(x + u) / P(x), by the quantile function of the cell."""

    def forward(self, features):
        x = ((features + 1) * NUM_LEVELS - 1) / 2

        class Truncated(torch.distributions.Distribution):
            def rsample_and_log_prob(self, sample_shape=()):
                low, high = mixture().cdf(x), mixture().cdf(x + 1)
                u = mixture().icdf(low + (high - low) * torch.rand_like(x)) - x
                return u, self.log_prob(u)

            def log_prob(self, u):
                mass = mixture().cdf(x + 1) - mixture().cdf(x)
                return (mixture().log_prob(x + u) - torch.log(mass)).sum(-1)

        return Truncated(x.shape[:1], x.shape[1:], validate_args=False)


def test_uniform_is_the_bound_by_quadrature_and_the_true_posterior_closes_it():
    num_draws = 40_000
    for level in range(NUM_LEVELS):
        x = torch.full((num_draws, 1), float(level), dtype=torch.float64)
        uniform = Flow(bijection=UniformDequantization(NUM_LEVELS, 1), base=OfLevels())
        drawn = uniform().log_prob(x)
        u = (torch.arange(10_000, dtype=torch.float64) + 0.5) / 10_000
        bound = mixture().log_prob(level + u).mean().item()
        error = drawn.std().item() / math.sqrt(num_draws)
        assert abs(drawn.mean().item() - bound) < 4 * error
        exact = exact_log_probability(level)
        assert bound < exact - 1e-3

        variational = Flow(
            bijection=VariationalDequantization(noise=Posterior(), num_levels=NUM_LEVELS, event_dim=1),
            base=OfLevels(),
        )
        tight = variational().log_prob(x[:500])
        torch.testing.assert_close(tight, torch.full_like(tight, exact), rtol=0, atol=1e-8)


def test_any_noise_is_a_bound_and_importance_weights_are_unbiased():
    class Skewed(nn.Module):
        def forward(self, features):
            return Independent(Beta(1.5 + 0.3 * features, torch.full_like(features, 1.2)), 1)

    flow = Flow(
        bijection=VariationalDequantization(noise=Skewed(), num_levels=NUM_LEVELS, event_dim=1),
        base=OfLevels(),
    )
    for level in range(NUM_LEVELS):
        log_weight = flow().log_prob(torch.full((40_000, 1), float(level), dtype=torch.float64))
        exact = exact_log_probability(level)
        assert log_weight.mean() < exact
        weight = torch.exp(log_weight - exact)
        assert abs(weight.mean().item() - 1) < 4 * weight.std().item() / 200


class PixelConditioner(nn.Module):
    """Affine parameters of every pixel's noise from the pixel itself: causal, as it looks at no noise."""

    num_parameters = 2

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 2))
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x, context):
        return self.net(context[..., None])


def noise_flow(event_shape):
    """q(u | x): a sigmoid of logistics, moved and scaled according to the image; starts as the uniform."""
    steered = Autoregressive(
        transform=Affine(), conditioner=PixelConditioner(), event_dim=len(event_shape)
    ).inv
    return Flow(bijection=Compose(Sigmoid().inv, steered), base=StandardLogistic(event_shape))


def test_a_flow_as_noise_starts_as_the_uniform_and_takes_any_batch():
    layer = VariationalDequantization(noise=noise_flow((1, 4, 4)), num_levels=8)
    x = torch.randint(0, 8, (6, 1, 4, 4))
    y, term = layer(x)
    torch.testing.assert_close(term, torch.full((6,), -16 * math.log(8)), rtol=0, atol=1e-4)
    assert torch.equal(layer.inverse(y)[0], x.float())
    assert layer(x.reshape(2, 3, 1, 4, 4))[1].shape == (2, 3)
    assert layer(x[0])[1].shape == ()


def test_terms_of_the_two_directions_cancel():
    layer = VariationalDequantization(noise=noise_flow((1, 4, 4)), num_levels=8).double()
    nn.init.normal_(layer.noise.bijection.members[1].bijection.conditioner.net[-1].weight, std=0.2)
    x = torch.randint(0, 8, (6, 1, 4, 4)).double()
    y, term = layer(x)
    returned, inverse_term = layer.inverse(y)
    assert torch.equal(returned, x) and term.std() > 0.01
    # y holds u to 1e-16, and log q has slopes of 1/u
    torch.testing.assert_close(inverse_term, -term, rtol=0, atol=1e-9)


def test_training_the_noise_closes_part_of_the_gap():
    flow = Flow(
        bijection=VariationalDequantization(noise=noise_flow((1,)), num_levels=NUM_LEVELS, event_dim=1),
        base=OfLevels(),
    ).double()
    x = torch.arange(NUM_LEVELS).repeat(64)[:, None].double()
    optimiser = torch.optim.Adam(flow.parameters(), 0.03)
    for _ in range(200):
        optimiser.zero_grad()
        (-flow().log_prob(x).mean()).backward()
        optimiser.step()
    assert all(parameter.grad.abs().max() > 0 for parameter in flow.parameters())
    x = torch.arange(NUM_LEVELS).repeat(5000)[:, None].double()
    with torch.no_grad():
        trained = flow().log_prob(x).mean().item()
        uniform = Flow(bijection=UniformDequantization(NUM_LEVELS, 1), base=OfLevels())().log_prob(x)
    exact = sum(exact_log_probability(level) for level in range(NUM_LEVELS)) / NUM_LEVELS
    assert uniform.mean().item() < trained < exact
    assert exact - trained < 0.3 * (exact - uniform.mean().item())
