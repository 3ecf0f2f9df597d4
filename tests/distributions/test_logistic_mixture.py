import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.distributions.logistic import Logistic
from wavegen.distributions.logistic_mixture import LogisticMixture


def random_mixture(shape=(), num_components=4, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    logits, loc, spread = torch.randn(3, *shape, num_components, generator=generator, dtype=dtype).unbind()
    return LogisticMixture(logits, loc, spread - 2.0)


def test_density_against_torch_mixture():
    mixture = random_mixture((5,))
    peer = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(logits=mixture.logits), Logistic(mixture.loc, mixture.log_scale)
    )
    x = torch.randn(7, 5, dtype=torch.float64)
    torch.testing.assert_close(mixture.log_prob(x), peer.log_prob(x), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(mixture.cdf(x), peer.cdf(x), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(mixture.mean, peer.mean, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(mixture.stddev, peer.stddev, rtol=1e-12, atol=1e-12)


def test_gradients_against_finite_differences():
    mixture = random_mixture((2,), num_components=3)
    x = torch.randn(2, 2, dtype=torch.float64, requires_grad=True)
    inputs = [p.detach().clone().requires_grad_() for p in (mixture.logits, mixture.loc, mixture.log_scale)]
    assert torch.autograd.gradcheck(lambda x, *p: LogisticMixture(*p).log_prob(x), (x, *inputs))
    assert torch.autograd.gradgradcheck(lambda x, *p: LogisticMixture(*p).log_prob(x), (x, *inputs))


def test_density_integrates_to_one():
    mixture = random_mixture()
    u = torch.linspace(-60, 60, 600_001, dtype=torch.float64)
    assert abs((mixture.log_prob(u).exp().sum() * (u[1] - u[0])).item() - 1) < 1e-10


def test_both_tails_are_exact_where_one_minus_cdf_is_lost():
    mixture = random_mixture((6,))
    far = torch.full((6,), 400.0, dtype=torch.float64)
    log_weight = torch.log_softmax(mixture.logits, -1)

    def leading(sign):  # 1 / (1 + e^u) is e^(−u) to the last digit out there
        u = (far[:, None] - sign * mixture.loc) * torch.exp(-mixture.log_scale)
        assert u.min() > 37
        return torch.logsumexp(log_weight - u, -1)

    assert (mixture.cdf(far) > 1 - 1e-15).all()
    torch.testing.assert_close(mixture.log_survival(far), leading(1), rtol=1e-12, atol=0)
    torch.testing.assert_close(mixture.log_cdf(-far), leading(-1), rtol=1e-12, atol=0)


@settings(deadline=None, max_examples=20)
@given(
    shape=st.lists(st.integers(1, 4), max_size=3),
    draws=st.lists(st.integers(1, 3), max_size=2),
    num_components=st.integers(1, 6),
    seed=st.integers(0, 100),
)
def test_shapes_and_quantiles(shape, draws, num_components, seed):
    mixture = random_mixture(tuple(shape), num_components, seed)
    x = mixture.sample(tuple(draws))
    assert x.shape == (*draws, *shape)
    assert mixture.log_prob(x).shape == mixture.cdf(x).shape == x.shape
    probability = torch.rand((*draws, *shape), dtype=torch.float64)
    quantile = mixture.icdf(probability)
    torch.testing.assert_close(mixture.cdf(quantile), probability, rtol=1e-9, atol=1e-12)


def test_log_odds_and_their_slope():
    mixture = random_mixture((5,))
    x = torch.randn(7, 5, dtype=torch.float64, requires_grad=True)
    log_odds, log_slope = mixture.log_odds(x)
    torch.testing.assert_close(log_odds, mixture.log_cdf(x) - mixture.log_survival(x), rtol=1e-10, atol=1e-10)
    (slope,) = torch.autograd.grad(log_odds.sum(), x)
    torch.testing.assert_close(log_slope, slope.log(), rtol=1e-9, atol=1e-9)


def test_quantiles_far_out_and_between_far_components():
    loc = torch.tensor([-5.0, 5.0], dtype=torch.float64)
    mixture = LogisticMixture(torch.zeros(2, dtype=torch.float64), loc, torch.full_like(loc, -9.0))
    logit = torch.tensor([-3000.0, -30.0, -0.5, 1e-9, 0.5, 30.0, 3000.0], dtype=torch.float64)
    x = mixture.quantile_at_logit(logit)
    found = mixture.log_cdf(x) - mixture.log_survival(x)
    torch.testing.assert_close(found, logit, rtol=1e-9, atol=1e-8)
    assert (x.diff() > 0).all()


def test_quantiles_in_float32_reach_its_resolution():
    mixture = random_mixture((200,), dtype=torch.float32)
    probability = torch.rand(200, generator=torch.Generator().manual_seed(1))
    exact = LogisticMixture(mixture.logits.double(), mixture.loc.double(), mixture.log_scale.double())
    wanted = exact.icdf(probability.double())
    error = (mixture.icdf(probability).double() - wanted).abs()
    # what the rounding of the probability itself can do, and the rounding of x
    allowed = 20 * 2**-24 * (torch.exp(-exact.log_prob(wanted)) + wanted.abs() + 1e-3)
    assert (error < allowed).all()


def test_samples_follow_it():
    mixture = random_mixture()
    torch.manual_seed(1)
    count = 40_000
    uniform = mixture.cdf(mixture.sample((count,))).sort().values
    largest_gap = (uniform - torch.arange(1, count + 1, dtype=torch.float64) / count).abs().max()
    assert largest_gap < 1.95 / math.sqrt(count)


def test_sampling_from_uniforms_is_a_function_of_them():
    mixture = random_mixture((3,))
    u = torch.rand(2, 10, 3, dtype=torch.float64)
    assert torch.equal(mixture.sample_from_uniforms(u[0], u[1]), mixture.sample_from_uniforms(u[0], u[1]))


def test_temperature_zero_is_the_heaviest_component_and_scales_shrink():
    mixture = random_mixture((3,))
    u = torch.rand(2, 500, 3, dtype=torch.float64)
    heaviest = mixture.loc.gather(-1, mixture.logits.argmax(-1, keepdim=True)).squeeze(-1)
    coldest = mixture.sample_from_uniforms(u[0], u[1], temperature=0.0)
    assert torch.equal(coldest, heaviest.expand(500, 3))
    per_batch = torch.tensor([1.0, 0.5, 0.0], dtype=torch.float64)
    mixed = mixture.sample_from_uniforms(u[0], u[1], temperature=per_batch)
    torch.testing.assert_close(mixed[:, 0], mixture.sample_from_uniforms(u[0], u[1])[:, 0])
    assert torch.equal(mixed[:, 2], coldest[:, 2])
    single = LogisticMixture(torch.zeros(1), torch.zeros(1), torch.zeros(1))
    value = torch.rand(50)
    torch.testing.assert_close(
        single.sample_from_uniforms(value, value, 0.5), 0.5 * single.sample_from_uniforms(value, value)
    )


def test_gradients_stay_finite_thousands_of_scales_away():
    parameters = [torch.randn(3, 4).requires_grad_() for _ in range(2)] + [
        torch.full((3, 4), -9.0).requires_grad_()
    ]
    x = torch.tensor([-40.0, 0.6, 40.0], requires_grad=True)
    log_prob = LogisticMixture(*parameters).log_prob(x)
    gradients = torch.autograd.grad(log_prob.sum(), (x, *parameters))
    assert log_prob.isfinite().all() and all(gradient.isfinite().all() for gradient in gradients)
    # a far density pulls with one over the scale: nothing is floored away
    torch.testing.assert_close(gradients[0].abs(), torch.full((3,), math.exp(9.0)), rtol=0.2, atol=0)


def test_quantiles_of_scales_beyond_the_dtype_are_numbers():
    """exp(88.8) is infinite in float32: a component of any weight made every quantile NaN."""
    log_scale = torch.tensor([[0.0, 88.0], [0.0, 88.8], [0.0, 200.0], [120.0, 120.0]])
    mixture = LogisticMixture(torch.zeros(4, 2), torch.tensor([0.0, 1.0]), log_scale)
    for level in (-5.0, -0.5, 0.0, 0.5, 5.0):
        quantile = mixture.quantile_at_logit(torch.full((4,), level))
        assert quantile.isfinite().all()
    # Half of the mass lies so far out on either side that the quantile at ¼ + ½ F₀ is that of the other half.
    logit = torch.tensor(0.3)
    level = (0.25 + 0.5 * torch.sigmoid(logit)).logit()
    found = mixture.quantile_at_logit(level.expand(4))
    torch.testing.assert_close(found[:3], logit.expand(3), rtol=0, atol=1e-4)
