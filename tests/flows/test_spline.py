import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.errors import UserError
from wavegen.flows import RationalQuadraticSpline

BOUND = 3.0


def drawn(count, num_bins=8, strength=1.0, seed=0):
    torch.manual_seed(seed)
    return strength * torch.randn(count, 3 * num_bins - 1, dtype=torch.float64)


def knots_of(spline, parameters):
    widths, heights, _ = parameters.split((spline.num_bins, spline.num_bins, spline.num_bins - 1), -1)
    return spline._knots(widths, spline.min_bin_width), spline._knots(heights, spline.min_bin_height)


def test_it_passes_through_its_knots_with_the_derivatives_there():
    spline, parameters = RationalQuadraticSpline(), drawn(20)
    horizontal, vertical = knots_of(spline, parameters)
    per_knot = parameters.unsqueeze(1).expand(-1, 9, -1)
    z, log_derivative = spline(horizontal, per_knot)
    torch.testing.assert_close(z, vertical, rtol=0, atol=1e-13)
    softplus = torch.nn.functional.softplus(parameters[:, 16:] + spline._derivative_shift)
    torch.testing.assert_close(log_derivative[:, 1:-1].exp(), 1e-3 + softplus, rtol=1e-12, atol=0)
    assert (log_derivative[:, [0, -1]].abs() < 1e-12).all()


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_value_and_derivative_are_continuous_at_the_knots_and_at_the_bounds(direction):
    spline, parameters = RationalQuadraticSpline(), drawn(20)
    places = knots_of(spline, parameters)[direction == "inverse"]
    per_knot = parameters.unsqueeze(1).expand(-1, 9, -1)
    step = 1e-11
    below = getattr(spline, direction)(places - step, per_knot)
    above = getattr(spline, direction)(places + step, per_knot)
    for left, right in zip(below, above, strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(
    num_bins=st.integers(2, 12),
    strength=st.integers(0, 8),
    bound=st.sampled_from([0.5, 1.0, 3.0, 20.0]),
    seed=st.integers(0, 1000),
)
def test_it_is_increasing_onto_its_interval_and_undone(num_bins, strength, bound, seed):
    spline = RationalQuadraticSpline(num_bins, bound)
    parameters = drawn(1, num_bins, strength, seed)
    x = torch.linspace(-1.2 * bound, 1.2 * bound, 401, dtype=torch.float64)
    z, log_derivative = spline(x, parameters.expand(401, -1))
    assert (z.diff() > 0).all()
    assert (z.abs() <= bound)[x.abs() <= bound].all()
    assert log_derivative.isfinite().all()
    returned, inverse_log_derivative = spline.inverse(z, parameters.expand(401, -1))
    # the rounding of z is amplified by the inverse's slope
    amplified = 1e-14 * bound * torch.exp((-log_derivative).clamp(min=0)) + 1e-13 * bound
    assert ((returned - x).abs() <= 10 * amplified).all()
    assert (spline(returned, parameters.expand(401, -1))[0] - z).abs().max() <= 1e-12 * bound


def test_tails_are_the_identity_bit_for_bit():
    spline, parameters = RationalQuadraticSpline(bound=BOUND), drawn(6).float()
    x = torch.tensor([-torch.inf, -1e30, -3.0001, 3.0001, 1e30, torch.inf])
    for direction in (spline, spline.inverse):
        value, log_derivative = direction(x, parameters)
        assert torch.equal(value, x) and (log_derivative == 0).all()


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_log_derivative_is_autograds(direction):
    spline, parameters = RationalQuadraticSpline(), drawn(2000, strength=2.0)
    value = torch.linspace(-3.5, 3.5, 2000, dtype=torch.float64).requires_grad_()
    result, log_derivative = getattr(spline, direction)(value, parameters)
    (slope,) = torch.autograd.grad(result.sum(), value)
    torch.testing.assert_close(log_derivative, slope.log(), rtol=0, atol=1e-10)


def test_gradients_are_finite_at_the_bounds_the_knots_and_outside():
    spline, parameters = RationalQuadraticSpline(), drawn(4).requires_grad_()
    x = torch.tensor([-3.0, 3.0, 1e300, -torch.inf], dtype=torch.float64, requires_grad=True)
    for direction in (spline, spline.inverse):
        value, log_derivative = direction(x, parameters)
        for gradient in torch.autograd.grad(value.sum() + log_derivative.sum(), (x, parameters)):
            assert gradient.isfinite().all()


def test_second_derivatives_exist_both_ways():
    spline, parameters = RationalQuadraticSpline(3), drawn(5, 3)
    x = torch.linspace(-2.5, 2.5, 5, dtype=torch.float64).requires_grad_()
    for direction in (spline, spline.inverse):
        assert torch.autograd.gradgradcheck(lambda x, f=direction: f(x, parameters), x)


def test_zero_parameters_are_the_identity():
    x = torch.linspace(-4, 4, 101, dtype=torch.float64)
    z, log_derivative = RationalQuadraticSpline()(x, torch.zeros(101, 23, dtype=torch.float64))
    torch.testing.assert_close(z, x, rtol=0, atol=1e-14)
    assert log_derivative.abs().max() < 1e-14


def test_float32_inverts_where_the_textbook_root_cancels():
    """Steep at the right end of a flat bin: −b and the root of the discriminant are of one size."""
    spline = RationalQuadraticSpline(2, min_derivative=1e-6)
    parameters = torch.tensor([2.0, -2.0, -4.0, 4.0, 12.0])
    x = torch.linspace(-2.9, 2.9, 500, dtype=torch.float64)
    z, log_derivative = spline(x, parameters.double().expand(500, -1))
    returned, _ = spline.inverse(z.float(), parameters.expand(500, -1))
    condition = torch.exp((-log_derivative).clamp(min=0))
    assert ((returned - x).abs() / condition).max() < 2e-6


def test_extreme_parameters_stay_finite_and_invertible_in_float32():
    torch.manual_seed(0)
    spline, parameters = RationalQuadraticSpline(), 100 * torch.randn(1000, 23)
    x = torch.empty(1000).uniform_(-3, 3)
    z, log_derivative = spline(x, parameters)
    returned, inverse_log_derivative = spline.inverse(z, parameters)
    for tensor in (z, log_derivative, returned, inverse_log_derivative):
        assert tensor.isfinite().all()
    again, _ = spline(returned, parameters)
    # knots are resolved to some 1e-7 of the interval, steepness is up to a thousand and more
    assert (again - z).abs().median() < 1e-6
    assert z.abs().max() <= 3 and returned.abs().max() <= 3


def test_half_precision_is_computed_in_float32():
    spline = RationalQuadraticSpline(4)
    value, log_derivative = spline(torch.randn(5).bfloat16(), torch.randn(5, 11).bfloat16())
    assert value.dtype == log_derivative.dtype == torch.float32


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"num_bins": 1}, "num_bins: expected at least 2, got 1"),
        ({"bound": 0.0}, "bound: expected a positive number, got 0.0"),
        ({"num_bins": 10, "min_bin_width": 0.1}, "min_bin_width: expected more than 0 and less than 1 / 10"),
        ({"min_bin_height": 0.0}, "min_bin_height: expected more than 0"),
        ({"min_derivative": 1.0}, "min_derivative: expected between 0 and 1, got 1.0"),
    ],
)
def test_refusals(settings_, message):
    with pytest.raises(UserError, match=message):
        RationalQuadraticSpline(**settings_)


@pytest.mark.parametrize("bound", [3.0, 0.7, 5.3])
def test_rounding_never_leaves_the_interval(bound):
    """In float32 knot and height are summed with rounding; the next layer may be defined inside only."""
    spline = RationalQuadraticSpline(bound=bound)
    torch.manual_seed(0)
    parameters = 3 * torch.randn(20_000, spline.num_parameters)
    bound = torch.tensor(bound)
    for x in (bound, torch.nextafter(bound, torch.tensor(0.0))):
        for value in (x, -x):
            for direction in (spline, spline.inverse):
                result, _ = direction(value.expand(20_000), parameters)
                assert result.abs().max() <= bound
