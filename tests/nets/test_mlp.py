import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.errors import UserError
from wavegen.nets.mlp import MLP


@settings(deadline=None, max_examples=20)
@given(
    batch=st.lists(st.integers(1, 3), max_size=2),
    in_features=st.integers(1, 4),
    out_features=st.integers(1, 4),
    num_parameters=st.integers(1, 3),
    hidden=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    context_features=st.integers(0, 2),
)
def test_shapes_and_zero_start(batch, in_features, out_features, num_parameters, hidden, context_features):
    net = MLP(in_features, out_features, num_parameters, hidden, context_features)
    context = torch.randn(*batch, context_features) if context_features else None
    parameters = net(torch.randn(*batch, in_features), context)
    assert parameters.shape == (*batch, out_features, num_parameters)
    assert parameters.count_nonzero() == 0


def test_every_output_depends_on_every_input_and_on_the_context():
    torch.manual_seed(0)
    net = MLP(3, 2, 2, [8, 8], context_features=2, initial_std=0.3).double()
    x, context = torch.randn(3, dtype=torch.float64), torch.randn(2, dtype=torch.float64)
    by_x, by_context = torch.autograd.functional.jacobian(net, (x, context))
    assert by_x.shape == (2, 2, 3) and (by_x != 0).all() and (by_context != 0).all()


def test_every_hidden_layer_bends():
    """A net with a layer less of activations is linear in its last hidden layer but one."""
    torch.manual_seed(0)
    for hidden in ([8], [8, 8]):
        net = MLP(3, 2, 2, hidden, initial_std=0.3).double()
        x = torch.randn(3, dtype=torch.float64)
        expected = net.layers[0](x)
        for layer in net.layers[1:]:
            expected = layer(expected * torch.sigmoid(expected))
        torch.testing.assert_close(net(x).flatten(), expected)
        bend = net(x) + net(-x) - 2 * net(torch.zeros_like(x))
        assert bend.abs().min() > 1e-4


def test_refusals():
    with pytest.raises(UserError, match="at least one hidden layer"):
        MLP(2, 2, 1, [])
    with pytest.raises(UserError, match="expected 2 features, got 0"):
        MLP(2, 2, 1, [4], context_features=2)(torch.zeros(1, 2))
    with pytest.raises(UserError, match="expected 0 features, got 3"):
        MLP(2, 2, 1, [4])(torch.zeros(1, 2), torch.zeros(1, 3))
    with pytest.raises(UserError, match="MLP x: expected 2 features, got 3"):
        MLP(2, 2, 1, [4])(torch.zeros(1, 3))
    net = MLP(2, 2, 1, [4], context_features=2)
    for context, got in (
        ({"speaker": torch.zeros(1, 2)}, "a tensor of 2 features, got dict"),
        (torch.tensor(1.0), r"a tensor of 2 features, got shape \(\)"),
        (torch.ones(1, 2, dtype=torch.long), "floating-point numbers, got torch.int64"),
    ):
        with pytest.raises(UserError, match=f"MLP context: expected {got}"):
            net(torch.zeros(1, 2), context)
