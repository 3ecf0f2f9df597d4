import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wavegen.errors import UserError
from wavegen.flows.channels import ChannelBijection, channel_moments


def test_batch_and_positions_of_vectors_and_images():
    assert ChannelBijection(3, 1).batch_and_positions(torch.zeros(5, 2, 3)) == ((5, 2), 1)
    assert ChannelBijection(3, 3).batch_and_positions(torch.zeros(5, 3, 2, 4)) == ((5,), 8)
    assert ChannelBijection(3, 2).batch_and_positions(torch.zeros(3, 7)) == ((), 7)


def test_a_vector_of_channels_broadcasts_over_positions():
    scaled = torch.ones(2, 3, 4, 5) * ChannelBijection(3, 3).over_positions(torch.arange(3.0))
    assert torch.equal(scaled[1, :, 2, 2], torch.arange(3.0)) and scaled.shape == (2, 3, 4, 5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ChannelBijection(0, 1), "at least one channel and one event dimension, got 0 and 1"),
        (lambda: ChannelBijection(2, 0), "at least one channel and one event dimension, got 2 and 0"),
        (
            lambda: ChannelBijection(3, 3).forward_shape((5, 4, 2, 2)),
            r"shape \(3, …, …\), got .*\(5, 4, 2, 2\)",
        ),
        (
            lambda: ChannelBijection(3, 1).inverse_shape((4,)),
            r"expected events of shape \(3\), got shape \(4,\)",
        ),
        (lambda: ChannelBijection(3, 3).forward_shape((3, 2)), "at least 3 dimensions"),
    ],
)
def test_other_events_are_refused_by_name(call, message):
    with pytest.raises(UserError, match="ChannelBijection: .*" + message):
        call()


@given(batch=st.lists(st.integers(1, 3), max_size=2), positions=st.lists(st.integers(1, 3), max_size=2))
def test_moments_are_those_over_batch_and_positions(batch, positions):
    value = torch.randn(*batch, 4, *positions, dtype=torch.float64)
    mean, variance = channel_moments(value, 1 + len(positions))
    rows = value.movedim(len(batch), 0).reshape(4, -1)
    torch.testing.assert_close(mean, rows.mean(1))
    torch.testing.assert_close(variance, (rows - rows.mean(1, keepdim=True)).square().mean(1))
