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
    Logit,
    Reshape,
    Reversal,
    Sigmoid,
    Squeeze,
    UniformDequantization,
)
from wavegen.flows.compose import separate


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


def test_terms_of_members_are_summed_and_the_inverse_undoes_them_last_first():
    first, second = Sigmoid(), Elementwise(transform=Affine(), shape=(3,), initial_std=1.0).double()
    series = Compose(first, second, event_dim=1)
    x = torch.randn(4, 3, dtype=torch.float64)
    z, log_det = series(x)
    jacobian = torch.stack([torch.autograd.functional.jacobian(lambda v: series(v)[0], row) for row in x])
    torch.testing.assert_close(log_det, torch.linalg.slogdet(jacobian)[1])
    returned, inverse_log_det = series.inverse(z)
    torch.testing.assert_close(returned, x)
    torch.testing.assert_close(inverse_log_det, -log_det)


def test_shapes_pass_through_the_members_in_order():
    series = Compose(Squeeze(), Reshape((4, 2, 3), (24,)))
    assert series.forward_shape((1, 4, 6)) == (24,)
    assert series.inverse_shape((24,)) == (1, 4, 6)
    assert (series.event_dim, series.latent_event_dim) == (3, 1)


def test_a_series_is_a_bound_where_a_member_is():
    assert Chain(UniformDequantization(4), Sigmoid()).is_bound
    assert not Chain(Sigmoid(), Logit()).is_bound


def test_what_comes_before_the_first_bijection_is_separated():
    noise, sigmoid, logit = UniformDequantization(4), Sigmoid(), Logit()
    before, rest = separate(Chain(noise, sigmoid, logit))
    assert isinstance(before, Chain) and list(before.members) == [noise]
    assert isinstance(rest, Compose) and list(rest.members) == [sigmoid, logit]
    later = Chain(sigmoid, noise)
    for whole in (sigmoid, Compose(sigmoid, logit), later):
        assert separate(whole) == (None, whole)
    assert type(separate(Chain(noise, sigmoid, noise))[1]) is Chain


def test_a_member_of_another_kind_and_too_low_a_rank_are_named():
    with pytest.raises(UserError, match="Chain: expected a Transform at position 0, got ReLU"):
        Chain(torch.nn.ReLU())
    with pytest.raises(UserError, match="Compose: expected a Bijection at position 0, got Uniform"):
        Compose(UniformDequantization(4))
    with pytest.raises(UserError, match="expected event_dim of at least 1"):
        Compose(Reshape((4,), (2, 2)), event_dim=0)
