import pytest
import torch

from wavegen.flows.tanh_equation import solve_tanh_equation, tanh_root, tanh_slope


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_equation_is_solved_to_rounding_however_steep(dtype):
    target = torch.cat([torch.linspace(-50, 50, 201), torch.tensor([1e-30, 1e-8, -1e-3, 1e4, -1e6])]).to(
        dtype
    )
    slope = torch.tensor([1e-3, 1e-2, 0.5, 1.0, 2.0, 30.0, 1e3, 1e5], dtype=dtype)[:, None]
    root = solve_tanh_equation(target.expand(8, -1), slope.expand(8, len(target)))
    residual = (root + (slope - 1) * torch.tanh(root) - target).abs()
    assert (residual <= 4 * torch.finfo(dtype).eps * (root.abs() + target.abs())).all()
    assert torch.equal(root.sign(), target.sign().expand_as(root))


def test_the_root_s_derivatives_are_those_of_the_implicit_function():
    target = torch.randn(20, dtype=torch.float64, requires_grad=True)
    slope = torch.rand(20, dtype=torch.float64).mul(3).add(0.1).requires_grad_()
    assert torch.autograd.gradcheck(tanh_root, (target, slope))


def test_slope_does_not_cancel():
    p = torch.linspace(-3, 3, 61, dtype=torch.float64, requires_grad=True)
    slope = torch.tensor([1e-12, 0.3, 1.0, 40.0], dtype=torch.float64)[:, None]
    (derivative,) = torch.autograd.grad((p + (slope - 1) * torch.tanh(p))[2].sum(), p)
    torch.testing.assert_close(tanh_slope(torch.tanh(p), slope)[2], derivative)
    at_zero = tanh_slope(torch.zeros(()), torch.tensor(1e-12))
    assert at_zero == torch.tensor(1e-12)


def test_infinite_and_undefined_targets_end():
    target = torch.tensor([float("inf"), float("nan"), 1.0], dtype=torch.float64)
    root = solve_tanh_equation(target, torch.full_like(target, 0.5))
    assert root[1].isnan() and abs(root[2] - 0.5 * torch.tanh(root[2]) - 1) < 1e-14
