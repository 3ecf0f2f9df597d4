import pytest
import torch

from wavegen.distributions.mixture_kernel import logistic_mixture_kernel, plain_kernel


def inputs(value_shape, shape=(3, 4), num_components=5):
    torch.manual_seed(0)
    value = torch.randn(value_shape, dtype=torch.float64)
    parameters = torch.randn(3, *shape, num_components, dtype=torch.float64).unbind()
    return [tensor.clone().requires_grad_() for tensor in (value, *parameters)]


@pytest.mark.parametrize("value_shape", [(3, 4), (6, 3, 4), (2, 1, 1), (4,), (1, 4)])
def test_value_and_gradients_equal_those_of_the_plain_expression(value_shape):
    results = []
    for function in (logistic_mixture_kernel, plain_kernel):
        arguments = inputs(value_shape)
        result = function(*arguments)
        torch.manual_seed(1)
        results.append((result, *torch.autograd.grad(result, arguments, torch.randn_like(result))))
    for ours, plain in zip(*results, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-12, atol=1e-12)


def test_only_what_is_asked_for_gets_a_gradient():
    value, log_weight, loc, log_scale = inputs((3, 4))
    value.requires_grad_(False)
    loc.requires_grad_(False)
    logistic_mixture_kernel(value, log_weight, loc, log_scale).sum().backward()
    assert value.grad is None and loc.grad is None
    assert log_weight.grad.abs().min() > 0 and log_scale.grad.abs().min() > 0


def test_second_derivatives():
    assert torch.autograd.gradgradcheck(logistic_mixture_kernel, inputs((2,), (2,), 2))


def test_two_large_tensors_are_kept_for_the_gradient():
    """What autograd saves, in elements of draws × batch × time × K."""
    value, *parameters = inputs((50, 3, 4))
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        logistic_mixture_kernel(value, *parameters)
    assert sum(size == 50 * 3 * 4 * 5 for size in kept) == 2
