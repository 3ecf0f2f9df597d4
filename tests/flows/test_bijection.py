import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.distributions.batches import sum_last
from wavegen.errors import UserError
from wavegen.flows import (
    ActNorm,
    Affine,
    Chain,
    Compose,
    Elementwise,
    Inverse,
    Logit,
    Reshape,
    Reversal,
    Sigmoid,
    Squeeze,
)


def test_inv_of_inv_is_the_very_object():
    sigmoid = Sigmoid()
    assert sigmoid.inv.inv is sigmoid
    composed = Compose(Sigmoid(), Logit())
    assert composed.inv.inv is composed


def test_inverse_shares_parameters():
    bijection = Elementwise(transform=Affine(), shape=(3,))
    assert {id(p) for p in bijection.inv.parameters()} == {id(p) for p in bijection.parameters()}
    assert isinstance(bijection.inv, Inverse)


def test_members_apply_in_the_order_given():
    x = torch.randn(5, dtype=torch.float64)
    doubled = Elementwise(transform=Affine()).double()
    doubled.table.data = torch.tensor([1.0, 2.0], dtype=torch.float64)  # x e² + 1
    z, _ = Compose(doubled, Sigmoid())(x)
    torch.testing.assert_close(z, torch.sigmoid(x * torch.e**2 + 1))


@settings(deadline=None, max_examples=30)
@given(shape=st.lists(st.integers(1, 3), min_size=1, max_size=4), data=st.data())
def test_event_rank_decides_what_is_summed(shape, data):
    event_dim = data.draw(st.integers(0, len(shape)))
    composed = Compose(Sigmoid(), Logit(), Sigmoid(), event_dim=event_dim)
    x = torch.randn(shape, dtype=torch.float64)
    z, log_det = composed(x)
    assert z.shape == x.shape and log_det.shape == tuple(shape[: len(shape) - event_dim])
    torch.testing.assert_close(log_det.sum(), Sigmoid()(x)[1].sum())
    torch.testing.assert_close(sum_last(x, event_dim).sum(), x.sum())


def test_refusals():
    with pytest.raises(UserError, match="at least one bijection"):
        Compose()
    with pytest.raises(UserError, match="position 1, got ReLU"):
        Compose(Sigmoid(), torch.nn.ReLU())
    rank_two = Compose(Sigmoid(), event_dim=2)
    with pytest.raises(UserError, match="event_dim of at least 2"):
        Compose(rank_two, Sigmoid(), event_dim=1)
    with pytest.raises(UserError, match="at least 2 dimensions"):
        rank_two(torch.zeros(3))


def test_ranks_that_do_not_meet_are_refused():
    with pytest.raises(
        UserError,
        match="Compose: expected a bijection of events of at most 1 dimensions at position 1, "
        "behind Reshape, got Squeeze of 3",
    ):
        Compose(Reshape((1, 4, 4), (16,)), Squeeze())
    with pytest.raises(UserError, match="at position 2, behind Reshape, got ActNorm of 3"):
        Compose(Sigmoid(), Reshape((4,), (2, 2)), ActNorm(2))
    with pytest.raises(UserError, match="Chain: expected a transform of events of at most 2 .* got Squeeze"):
        Chain(Reshape((4,), (2, 2)), Squeeze())
    # as many dimensions as are left, or fewer, are taken; and more, where they are asked for
    assert Compose(Reshape((1, 4, 4), (16,)), Reversal(1), Sigmoid()).event_dim == 3
    assert Compose(Reversal(3), Reshape((2, 4), (8,)), Reversal(2)).event_dim == 3
    assert Compose(Reshape((1, 4, 4), (16,)), Reversal(3), event_dim=5).event_dim == 5
