import pytest
import torch

from wavegen.errors import UserError
from wavegen.flows import LeakyReLU, LearnableLeakyReLU, Logit, Sigmoid, Softplus, Tanh


def test_log_det_of_saturated_values_is_exact():
    x = torch.tensor([-300.0, 300.0], dtype=torch.float64)
    _, log_det = Sigmoid()(x)
    torch.testing.assert_close(log_det, torch.full((2,), -300.0, dtype=torch.float64))


def test_the_ends_of_the_interval_stay_finite():
    ends = torch.tensor([0.0, 1.0])
    for z, log_det in (Logit()(ends), Sigmoid().inverse(ends)):
        assert z.isfinite().all() and log_det.isfinite().all()


def test_they_undo_each_other():
    x = torch.randn(100, dtype=torch.float64)
    torch.testing.assert_close(Logit()(Sigmoid()(x)[0])[0], x, rtol=1e-12, atol=1e-12)


def at_high_precision(function, x):
    """What float64 makes of float32 arguments."""
    return function(x.double())[1]


@pytest.mark.parametrize("bijection", [Softplus(), Tanh()], ids=lambda b: type(b).__name__)
def test_far_tails_in_float32_are_finite_and_accurate(bijection):
    x = torch.tensor([-1e4, -300.0, -87.0, -30.0, -9.0, -1e-3, 0.0, 1e-3, 9.0, 30.0, 300.0, 1e4])
    z, log_det = bijection(x)
    assert z.isfinite().all()
    torch.testing.assert_close(log_det.double(), at_high_precision(bijection, x), rtol=1e-6, atol=1e-7)
    returned, inverse_log_det = bijection.inverse(z)
    assert returned.isfinite().all() and inverse_log_det.isfinite().all()


def test_log_derivatives_of_the_tails_are_their_asymptotes():
    x = torch.tensor([-300.0, 300.0], dtype=torch.float64)
    torch.testing.assert_close(Softplus()(x)[1], torch.tensor([-300.0, 0.0], dtype=torch.float64))
    both = 2 * torch.tensor(2.0, dtype=torch.float64).log() - 600
    torch.testing.assert_close(Tanh()(x)[1], both.expand(2), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("bijection", "largest"),
    [(Softplus(), 700.0), (Tanh(), 12.0), (LeakyReLU(0.1), 1e6), (LearnableLeakyReLU(), 1e6)],
    ids=lambda value: type(value).__name__,
)
def test_log_derivative_is_autograds_all_along(bijection, largest):
    x = torch.linspace(-largest, largest, 2000, dtype=torch.float64).requires_grad_()
    z, log_det = bijection.double()(x)
    (slope,) = torch.autograd.grad(z.sum(), x)
    # 1 − tanh² is what autograd forms: at 12 it has lost ten digits
    tolerance = 1e-5 if isinstance(bijection, Tanh) else 1e-10
    torch.testing.assert_close(log_det.detach(), slope.log(), rtol=tolerance, atol=1e-10)


def test_softplus_is_inverted_to_the_last_digits_from_tiny_to_large_values():
    z = torch.logspace(-300, 3, 500, dtype=torch.float64)
    x, log_det = Softplus().inverse(z)
    torch.testing.assert_close(Softplus()(x)[0], z, rtol=1e-12, atol=0)
    torch.testing.assert_close(log_det, -Softplus()(x)[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_saturated_values_invert_to_finite_ones(dtype):
    for bijection, z in ((Softplus(), [0.0]), (Tanh(), [-1.0, 1.0])):
        z = torch.tensor(z, dtype=dtype).requires_grad_()
        x, log_det = bijection.inverse(z)
        assert x.isfinite().all() and log_det.isfinite().all()
        (gradient,) = torch.autograd.grad(x.sum() + log_det.sum(), z)
        assert gradient.isfinite().all()
    reach = Tanh().inverse(torch.ones((), dtype=dtype))[0].item()
    assert reach > (8.5 if dtype == torch.float32 else 18.0)


def test_tanh_is_torchs():
    x = torch.linspace(-5, 5, 101, dtype=torch.float64)
    z, log_det = Tanh()(x)
    torch.testing.assert_close(z, torch.tanh(x))
    torch.testing.assert_close(log_det, torch.log1p(-torch.tanh(x).square()), rtol=1e-9, atol=1e-12)


def test_slopes_below_zero_only():
    x = torch.tensor([[-2.0, -2.0], [0.0, 3.0]])
    bijection = LearnableLeakyReLU(shape=(2,), initial_slope=0.5)
    with torch.no_grad():
        bijection.log_negative_slope[1] = torch.tensor(3.0).log()
    z, log_det = bijection(x)
    torch.testing.assert_close(z, torch.tensor([[-1.0, -6.0], [0.0, 3.0]]))
    torch.testing.assert_close(log_det.exp(), torch.tensor([[0.5, 3.0], [1.0, 1.0]]))
    torch.testing.assert_close(bijection.inverse(z)[0], x)
    fixed, _ = LeakyReLU(0.5)(x)
    assert fixed.tolist() == [[-1.0, -1.0], [0.0, 3.0]]


@pytest.mark.parametrize("slope", [0.0, -0.1, float("inf"), float("nan")])
def test_slopes_that_would_not_be_monotone_are_refused(slope):
    for build in (lambda: LeakyReLU(slope), lambda: LearnableLeakyReLU(initial_slope=slope)):
        with pytest.raises(UserError, match="expected a positive number, got"):
            build()


@pytest.mark.parametrize(
    "bijection",
    [Sigmoid(), Logit(), Softplus(), Tanh(), LeakyReLU(), LearnableLeakyReLU()],
    ids=lambda b: type(b).__name__,
)
def test_half_precision_is_computed_in_float32(bijection):
    value = torch.tensor([0.2, 0.5, 0.9]).bfloat16()
    for direction in (bijection, bijection.inverse):
        for got, expected in zip(direction(value), direction(value.float()), strict=True):
            assert got.dtype == torch.float32 and torch.equal(got, expected)
