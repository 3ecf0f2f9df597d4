import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.errors import UserError
from wavegen.flows import ActNorm


def images(seed=0):
    torch.manual_seed(seed)
    scale = torch.tensor([0.01, 1.0, 30.0]).view(3, 1, 1)
    return torch.randn(8, 3, 4, 5) * scale + torch.tensor([5.0, 0.0, -100.0]).view(3, 1, 1)


def state(layer):
    return {name: value.clone() for name, value in layer.state_dict().items()}


def test_the_first_batch_comes_out_with_mean_0_and_variance_1():
    x = images().double()
    z, log_det = ActNorm(3).double()(x)
    torch.testing.assert_close(z.mean((0, 2, 3)), torch.zeros(3).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(z.var((0, 2, 3), correction=0), torch.ones(3).double(), rtol=1e-12, atol=0)
    expected = -20 * x.std((0, 2, 3), correction=0).log().sum()
    torch.testing.assert_close(log_det, expected.expand(8), rtol=1e-12, atol=0)


def test_vectors_are_normalised_by_feature():
    x = torch.randn(50, 2, 3).double() * torch.tensor([1.0, 2.0, 3.0])
    z, log_det = ActNorm(3, event_dim=1).double()(x)
    assert log_det.shape == (50, 2)
    torch.testing.assert_close(z.std((0, 1), correction=0), torch.ones(3).double(), rtol=1e-12, atol=0)


def test_only_the_first_batch_does_it():
    layer = ActNorm(3)
    layer(images(0))
    before = state(layer)
    layer(100.0 * images(1))
    assert all(torch.equal(before[name], value) for name, value in layer.state_dict().items())


def test_neither_evaluation_nor_the_generating_direction_does_it():
    layer = ActNorm(3)
    x = images()
    z, _ = layer.eval()(x)
    assert torch.equal(z, x) and not layer.initialised
    returned, _ = layer.train().inverse(x)
    assert torch.equal(returned, x) and not layer.initialised
    layer(x)
    assert layer.initialised


def test_the_flag_survives_saving_and_loading_either_way():
    trained, fresh = ActNorm(3), ActNorm(3)
    trained(images())
    fresh.load_state_dict(trained.state_dict())
    fresh.train()(100.0 * images(1))
    assert all(torch.equal(value, fresh.state_dict()[name]) for name, value in trained.state_dict().items())
    # and an initialised layer that is given the state of a new one takes its first values again
    trained.load_state_dict(ActNorm(3).state_dict())
    z, _ = trained(images(1))
    assert trained.initialised
    torch.testing.assert_close(z.std((0, 2, 3), correction=0), torch.ones(3), rtol=1e-4, atol=0)


def test_a_copy_is_initialised_by_its_own():
    layer = ActNorm(3)
    duplicate = copy.deepcopy(layer)
    layer(images())
    assert not duplicate.initialised and not duplicate._is_initialised()


def test_constant_channels_are_centred_at_scale_1():
    x = images()
    x[:, 0], x[:, 1] = 0.0, 1234.567
    layer = ActNorm(3)
    z, log_det = layer(x)
    assert torch.equal(layer.log_scale[:2], torch.zeros(2))
    assert z[:, :2].abs().max() < 1e-3 and log_det.isfinite().all()


def test_a_single_number_per_channel_is_no_batch():
    layer = ActNorm(3, event_dim=1)
    x = torch.randn(1, 3)
    assert torch.equal(layer(x)[0], x) and not layer.initialised
    layer(torch.randn(2, 3))
    assert layer.initialised and all(value.isfinite().all() for value in layer.state_dict().values())


def test_half_precision_comes_out_in_float32():
    z, log_det = ActNorm(3)(images().bfloat16())
    assert z.dtype == log_det.dtype == torch.float32


def test_a_large_mean_costs_no_digits():
    """4096 deviations from 0: the sum with loc is exact, so that only the rounding of x is left."""
    torch.manual_seed(0)
    x = (4096.0 + torch.randn(64, 1, 4, 4)).float()
    layer = ActNorm(1)
    z, _ = layer(x)
    exact = (x.double() + layer.loc.double()) * layer.log_scale.double().exp()
    torch.testing.assert_close(z.double(), exact, rtol=1e-6, atol=1e-7)


@settings(deadline=None, max_examples=25)
@given(
    batch=st.lists(st.integers(1, 3), max_size=2),
    event=st.lists(st.integers(1, 4), min_size=1, max_size=3),
)
def test_any_shape(batch, event):
    torch.manual_seed(0)
    layer = ActNorm(event[0], event_dim=len(event)).double()
    x = torch.randn(*batch, *event).double()
    z, log_det = layer(x)
    assert z.shape == x.shape and log_det.shape == tuple(batch)
    torch.testing.assert_close(layer.inverse(z)[0], x, rtol=1e-9, atol=1e-9)


def test_wrong_number_of_channels():
    for call in (ActNorm(3), ActNorm(3).inverse):
        with pytest.raises(UserError, match=r"ActNorm: expected events of shape \(3, …, …\), got"):
            call(torch.randn(2, 4, 5, 5))
    with pytest.raises(UserError, match="at least one channel"):
        ActNorm(0)


def test_a_channel_of_which_only_rounding_moves_is_a_constant():
    """At 10⁴ float32 numbers lie 10⁻³ apart: a deviation of that size is not the data's."""
    torch.manual_seed(0)
    norm = ActNorm(3)
    x = torch.randn(8, 3, 4, 4)
    x[:, 0] = 1e4 + 1e-3 * x[:, 0]
    x[:, 1] = 1e-8 * x[:, 1]
    assert x[:, 0].std() > 0
    norm(x)
    assert norm.log_scale[:2].tolist() == [0.0, 0.0] and norm.log_scale[2] != 0
    # far from zero and moving is not constant
    norm = ActNorm(3)
    norm(x + 1e3 * torch.tensor([0.0, 0.0, 1.0])[:, None, None])
    torch.testing.assert_close(norm.log_scale[2], -x[:, 2].std(correction=0).log(), rtol=0, atol=1e-3)
