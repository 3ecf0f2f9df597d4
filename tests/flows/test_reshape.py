import pytest
import torch

from wavegen.errors import UserError
from wavegen.flows import (
    Compose,
    Reshape,
    Sigmoid,
)


def test_terms_under_a_reshaping_are_summed_once():
    """Elementwise maps before and behind it count every element of the event."""
    flow = Compose(Sigmoid(), Reshape((2, 3), (6,)), Sigmoid())
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    _, first = Sigmoid()(x)
    _, second = Sigmoid()(torch.sigmoid(x))
    assert (flow.event_dim, flow.latent_event_dim) == (2, 1)
    torch.testing.assert_close(flow(x)[1], (first + second).sum((1, 2)))


def test_elements_keep_their_row_major_order_both_ways():
    reshape = Reshape((2, 3), (3, 2, 1))
    x = torch.arange(24.0).reshape(4, 2, 3)
    z, log_det = reshape(x)
    assert z.shape == (4, 3, 2, 1) and z[1].flatten().tolist() == list(range(6, 12))
    assert torch.equal(log_det, torch.zeros(4))
    assert torch.equal(reshape.inverse(z)[0], x) and reshape.inverse(z)[1].shape == (4,)


def test_dimensions_before_the_event_are_kept_in_shapes():
    reshape = Reshape((2, 3), (6,))
    assert reshape.forward_shape((5, 2, 3)) == (5, 6) and reshape.inverse_shape((5, 6)) == (5, 2, 3)
    assert (reshape.event_dim, reshape.latent_event_dim) == (2, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Reshape((2, 3), (5,)), r"have different numbers of elements"),
        (lambda: Reshape((2, 3), (6,))(torch.zeros(1, 3, 2)), r"of shape \(2, 3\), got \(1, 3, 2\)"),
        (lambda: Reshape((2, 3), (6,)).inverse(torch.zeros(4, 5)), r"of shape \(6,\), got \(4, 5\)"),
        (lambda: Reshape((2, 3), (6,)).forward_shape((3, 2)), r"of shape \(2, 3\), got \(3, 2\)"),
        (lambda: Reshape((2, 3), (6,)).forward_shape((3,)), "at least 2 dimensions"),
    ],
)
def test_events_of_another_shape_are_named(call, message):
    with pytest.raises(UserError, match=message):
        call()
