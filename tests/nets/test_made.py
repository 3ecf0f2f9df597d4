import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.errors import UserError
from wavegen.nets.made import MADE


@settings(deadline=None, max_examples=20)
@given(
    features=st.integers(1, 6),
    hidden=st.lists(st.integers(12, 20), min_size=1, max_size=3),
    context_features=st.integers(0, 2),
    data=st.data(),
)
def test_jacobian_has_exactly_the_autoregressive_pattern(features, hidden, context_features, data):
    order = data.draw(st.permutations(range(features)))
    made = MADE(features, 3, hidden, context_features, order).double()
    context = torch.randn(context_features, dtype=torch.float64) if context_features else None
    x = torch.randn(features, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda x: made(x, context), x)
    assert jacobian.shape == (features, 3, features)
    depends = (jacobian != 0).any(1)
    rank = torch.tensor(order)
    # each element on all elements before it and on no other
    assert torch.equal(depends, rank[:, None] > rank[None, :])


def test_context_reaches_every_element():
    made = MADE(4, 2, [8, 8], context_features=3).double()
    context = torch.randn(3, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(
        lambda c: made(torch.zeros(4, dtype=torch.float64), c), context
    )
    assert (jacobian != 0).any(-1).all()


def test_batch_shapes_and_broadcast_context():
    made = MADE(4, 2, [8], context_features=3)
    assert made(torch.randn(5, 6, 4), torch.randn(6, 3)).shape == (5, 6, 4, 2)


def test_masks_are_saved_and_order_too():
    made = MADE(4, 2, [8], order=[2, 0, 3, 1])
    other = MADE(4, 2, [8])
    other.load_state_dict(made.state_dict())
    x = torch.randn(3, 4)
    assert torch.equal(made(x), other(x))


def test_refusals():
    with pytest.raises(UserError, match="permutation of 0 … 2"):
        MADE(3, 2, [8], order=[0, 1, 1])
    with pytest.raises(UserError, match="at least one hidden layer"):
        MADE(3, 2, [])
    with pytest.raises(UserError, match="expected 2 features, got 0"):
        MADE(3, 2, [8], context_features=2)(torch.zeros(1, 3))
    named = MADE(3, 2, [8], context_features={"speaker": 2, "pitch": 1})
    with pytest.raises(UserError, match=r"expected a mapping of \['pitch', 'speaker'\], got Tensor"):
        named(torch.zeros(1, 3), torch.zeros(1, 3))
    with pytest.raises(UserError, match=r"expected 'pitch' of 1 features, got \['speaker'\]"):
        named(torch.zeros(1, 3), {"speaker": torch.zeros(1, 2)})
    with pytest.raises(UserError, match="'speaker': expected 2 features, got 3"):
        named(torch.zeros(1, 3), {"speaker": torch.zeros(1, 3), "pitch": torch.zeros(1, 1)})
    with pytest.raises(UserError, match=r"one tensor of 2 features, got a mapping of \['pitch'\]"):
        MADE(3, 2, [8], context_features=2)(torch.zeros(1, 3), {"pitch": torch.zeros(1, 2)})


def test_named_blocks_are_one_context_side_by_side():
    torch.manual_seed(0)
    named = MADE(4, 2, [8, 8], context_features={"speaker": 3, "pitch": 1})
    plain = MADE(4, 2, [8, 8], context_features=4)
    plain.load_state_dict(named.state_dict())
    x, speaker, pitch = torch.randn(5, 4), torch.randn(5, 3), torch.randn(5, 1)
    context = {"pitch": pitch, "unrelated": torch.randn(5, 7), "speaker": speaker}
    assert torch.equal(named(x, context), plain(x, torch.cat([speaker, pitch], -1)))


def test_a_block_reaches_every_element():
    made = MADE(4, 2, [8, 8], context_features={"speaker": 3, "pitch": 1}).double()
    x, speaker = torch.zeros(4, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    for name in ("speaker", "pitch"):
        blocks = {"speaker": speaker, "pitch": torch.ones(1, dtype=torch.float64)}
        jacobian = torch.autograd.functional.jacobian(
            lambda c, name=name, blocks=blocks: made(x, blocks | {name: c}), blocks[name]
        )
        assert (jacobian != 0).any(-1).all(), name


def test_the_activation_stands_behind_every_hidden_layer_and_not_behind_the_last():
    torch.manual_seed(0)
    made = MADE(4, 3, [8, 6], activation=torch.nn.Tanh())
    x = torch.randn(5, 4)
    hidden = x
    for layer in made.layers[:-1]:
        hidden = torch.tanh(hidden @ (layer.weight * layer.mask).mT + layer.bias)
    last = made.layers[-1]
    expected = (hidden @ (last.weight * last.mask).mT + last.bias).view(5, 4, 3)
    torch.testing.assert_close(made(x), expected)


def test_inputs_of_another_width_or_kind_are_refused():
    with pytest.raises(UserError, match="MADE features: expected at least 1, got 0"):
        MADE(0, 2, [4])
    with pytest.raises(UserError, match="MADE x: expected 3 features, got 4"):
        MADE(3, 2, [4])(torch.zeros(2, 4))
    x, classes = torch.zeros(2, 3), torch.zeros(2, 2, dtype=torch.long)
    with pytest.raises(UserError, match="MADE context: expected floating-point numbers, got torch.int64"):
        MADE(3, 2, [4], context_features=2)(x, classes)
    with pytest.raises(UserError, match="MADE context 'style': expected floating-point numbers"):
        MADE(3, 2, [4], context_features={"style": 2})(x, {"style": classes})
