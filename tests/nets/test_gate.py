import pytest
import torch

from wavegen.nets.gate import CACHED_ROWS, gate_activations, gate_gradient, plain_gate

ROWS = [1, 5, CACHED_ROWS * torch.get_num_threads() + 3]


@pytest.mark.parametrize("rows", ROWS)
def test_gates_are_tanh_of_the_first_half_and_sigmoid_of_the_second(rows):
    hidden = 3 * torch.randn(rows, 6, dtype=torch.float64)
    tanh, sigmoid = gate_activations(hidden.clone())
    torch.testing.assert_close(tanh, torch.tanh(hidden[:, :3]))
    torch.testing.assert_close(sigmoid, torch.sigmoid(hidden[:, 3:]))
    torch.testing.assert_close(plain_gate(hidden), tanh * sigmoid)


@pytest.mark.parametrize("rows", ROWS)
def test_the_gradient_is_autograds_and_fills_rows_that_lie_apart(rows):
    hidden = torch.randn(rows, 4, dtype=torch.float64, requires_grad=True)
    grad = torch.randn(rows, 2, dtype=torch.float64)
    (expected,) = torch.autograd.grad(plain_gate(hidden), hidden, grad)
    wide = torch.zeros(rows, 7, dtype=torch.float64)
    gate_gradient(grad, *gate_activations(hidden.detach().clone()), out=wide[:, 1:5])
    torch.testing.assert_close(wide[:, 1:5], expected)
    assert wide[:, [0, 5, 6]].count_nonzero() == 0


def test_the_error_of_tanh_in_float32_is_that_of_its_type():
    hidden = torch.linspace(-12, 12, 4001).repeat(2, 1).mT.contiguous()
    exact = torch.tanh(hidden[:, 0].double())
    tanh, _ = gate_activations(hidden.clone())
    assert (tanh[:, 0].double() - exact).abs().max() < 2e-7


def test_narrow_types_are_formed_in_float32_and_rounded_once():
    hidden = torch.randn(50, 4).bfloat16()
    tanh, sigmoid = gate_activations(hidden.clone())
    assert tanh.dtype == sigmoid.dtype == torch.bfloat16
    assert torch.equal(sigmoid, torch.sigmoid(hidden[:, 2:].float()).bfloat16())
    exact = torch.tanh(hidden[:, :2].double())
    assert ((tanh.double() - exact).abs() <= 2.0**-8 * exact.abs() + 1e-6).all()
