import pytest
import torch

from wavegen.errors import UserError
from wavegen.nets.context_mlp import ContextMLP


def test_every_parameter_depends_on_every_feature_and_starts_small():
    torch.manual_seed(0)
    net = ContextMLP(3, 50, hidden=[16], initial_std=0.1).double()
    context = torch.randn(200, 3, dtype=torch.float64)
    parameters = net(context)
    assert parameters.shape == (200, 50) and 0.05 < parameters.std() < 0.3
    jacobian = torch.autograd.functional.jacobian(net, context[0])
    assert (jacobian != 0).all()


def test_without_hidden_layer_it_is_linear():
    net = ContextMLP(2, 3, hidden=[]).double()
    a, b = torch.randn(2, 4, 2, dtype=torch.float64)
    torch.testing.assert_close(net((a + b) / 2), (net(a) + net(b)) / 2)


def test_refusals():
    with pytest.raises(UserError, match="expected 3 features, got 0"):
        ContextMLP(3, 4)()
    with pytest.raises(UserError, match="expected 3 features, got 2"):
        ContextMLP(3, 4)(torch.zeros(1, 2))
    with pytest.raises(UserError, match="ContextMLP context: expected floating-point numbers"):
        ContextMLP(3, 4)(torch.zeros(1, 3, dtype=torch.long))
