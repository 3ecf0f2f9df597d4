import torch

from wavegen.distributions.lower_bound import lower_bound


def test_value_is_the_exact_maximum():
    x = torch.tensor([-12.0, -9.0, -8.999, 3.0])
    assert torch.equal(lower_bound(x, -9.0), torch.tensor([-9.0, -9.0, -8.999, 3.0]))


def test_below_the_floor_only_a_raising_gradient_passes():
    x = torch.tensor([-12.0, -12.0, -5.0, -5.0], requires_grad=True)
    # a loss is minimised: a negative gradient raises x
    lower_bound(x, -9.0).backward(torch.tensor([-1.0, 1.0, -1.0, 1.0]))
    assert torch.equal(x.grad, torch.tensor([-1.0, 0.0, -1.0, 1.0]))


def test_descent_leads_out_from_below_the_floor():
    x = torch.tensor(-12.0, requires_grad=True)
    optimiser = torch.optim.SGD([x], lr=0.5)
    for _ in range(50):
        optimiser.zero_grad()
        (lower_bound(x, -9.0) + 2.0).square().backward()
        optimiser.step()
    assert abs(x.item() + 2.0) < 1e-3
