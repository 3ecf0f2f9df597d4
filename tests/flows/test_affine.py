import pytest
import torch

from wavegen.errors import UserError
from wavegen.flows import Affine, BoundedLogScale


def test_formula():
    x = torch.randn(4, 3, dtype=torch.float64)
    parameters = torch.randn(4, 3, 2, dtype=torch.float64)
    z, log_derivative = Affine()(x, parameters)
    torch.testing.assert_close(z, x * parameters[..., 1].exp() + parameters[..., 0])
    torch.testing.assert_close(log_derivative, parameters[..., 1])


def test_bounded_scale_is_the_identity_near_zero_and_bounded_far_out():
    bound = BoundedLogScale(2.0)
    small = torch.tensor([-1e-4, 0.0, 1e-4], dtype=torch.float64)
    torch.testing.assert_close(bound(small), small, rtol=1e-8, atol=0)
    assert bound(torch.tensor([-1e6, 1e6])).abs().max() <= 2.0
    x = torch.tensor([1.0])
    z, log_derivative = Affine(log_scale_activation=bound)(x, torch.tensor([[0.0, 100.0]]))
    assert log_derivative.item() == 2.0 and torch.equal(z, x * torch.tensor(2.0).exp())


def test_half_precision_parameters_give_float32():
    z, log_derivative = Affine()(torch.randn(3), torch.randn(3, 2, dtype=torch.bfloat16))
    assert z.dtype == log_derivative.dtype == torch.float32


@pytest.mark.parametrize("bound", [0.0, -1.0, float("nan")])
def test_a_bound_that_is_none_is_refused(bound):
    with pytest.raises(UserError, match="expected a positive number, got"):
        BoundedLogScale(bound)
