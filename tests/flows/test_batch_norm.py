import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.errors import UserError
from wavegen.flows import BatchNorm


def vectors(seed=0, size=200):
    torch.manual_seed(seed)
    x = torch.randn(size, 3).double() * torch.tensor([0.1, 1.0, 30.0]) + torch.tensor([5.0, 0.0, -100.0])
    return x


def perturbed(layer):
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn_like(parameter))
    return layer


def test_training_normalises_by_the_batch():
    torch.manual_seed(0)
    layer, x = perturbed(BatchNorm(3, eps=1e-9).double()), vectors()
    z, log_det = layer(x)
    torch.testing.assert_close(z.mean(0), layer.beta.detach(), rtol=0, atol=1e-9)
    torch.testing.assert_close(z.std(0, correction=0), layer.log_gamma.exp().detach(), rtol=1e-6, atol=0)
    expected = (layer.log_gamma - 0.5 * (x.var(0, correction=0) + 1e-9).log()).sum()
    torch.testing.assert_close(log_det, expected.expand(200), rtol=0, atol=1e-12)


def test_the_training_log_det_is_that_of_one_event_with_the_statistics_constant():
    torch.manual_seed(0)
    layer, x = perturbed(BatchNorm(3).double()), vectors(size=5)
    _, log_det = layer(x)
    # the same statistics, now as constants: what the first batch leaves behind
    matrix = torch.autograd.functional.jacobian(lambda event: layer.eval()(event[None])[0][0], x[0])
    torch.testing.assert_close(log_det[0], torch.linalg.slogdet(matrix)[1], rtol=0, atol=1e-12)


def test_gradients_run_through_the_statistics():
    layer, x = BatchNorm(3).double(), vectors(size=5).requires_grad_()
    layer(x)[1].sum().backward()
    inside = x.detach() - x.detach().mean(0)
    # d(−½ log(variance + eps))/dx = −(x − mean) / (n (variance + eps)), five times summed
    expected = -5 * inside / (5 * (x.detach().var(0, correction=0) + 1e-5))
    torch.testing.assert_close(x.grad, expected)


def test_the_running_statistics_reproduce_training():
    torch.manual_seed(0)
    layer, x = perturbed(BatchNorm(3).double()), vectors()
    for _ in range(4):
        in_training, log_det = layer(x)
    layer.eval()
    z, evaluated = layer(x)
    torch.testing.assert_close(z, in_training, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(evaluated, log_det, rtol=1e-12, atol=1e-12)
    returned, back = layer.inverse(z)
    torch.testing.assert_close(returned, x, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(back, -evaluated)


def test_averages_are_plain_at_first_and_exponential_then():
    layer = BatchNorm(3, momentum=0.25).double()
    batches = [vectors(seed) for seed in range(6)]
    for batch in batches[:4]:
        layer(batch)
    expected = torch.stack([batch.mean(0) for batch in batches[:4]]).mean(0)
    torch.testing.assert_close(layer.running_mean, expected)
    for batch in batches[4:]:
        layer(batch)
        expected = 0.75 * expected + 0.25 * batch.mean(0)
    torch.testing.assert_close(layer.running_mean, expected)


def test_neither_evaluation_nor_the_generating_direction_learns():
    layer, x = BatchNorm(3).double(), vectors()
    layer(x)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    layer.inverse(x)
    layer.eval()(2.0 * x)
    assert all(torch.equal(before[name], value) for name, value in layer.state_dict().items())


def test_inverse_takes_the_running_statistics_in_training_too():
    layer, x = BatchNorm(3).double(), vectors()
    layer(x)
    z = torch.randn(4, 3).double()
    in_training = layer.inverse(z)[0]
    torch.testing.assert_close(layer.eval()(in_training)[0], z)


def test_a_batch_of_one_vector_is_normalised_by_the_others_before_it():
    layer, x = BatchNorm(3).double(), vectors()
    layer(x)
    mean = layer.running_mean.clone()
    z, log_det = layer(x[:1])
    assert torch.equal(layer.running_mean, mean)
    expected, expected_log_det = layer.eval()(x[:1])
    assert torch.equal(z, expected) and torch.equal(log_det, expected_log_det)


def test_a_constant_channel_is_bounded_by_eps():
    x = torch.ones(8, 2, 3, 3)
    z, log_det = BatchNorm(2, event_dim=3, eps=1e-4)(x)
    assert torch.equal(z, torch.zeros_like(z))
    torch.testing.assert_close(log_det, torch.full((8,), -9 * math.log(1e-4)))


def test_saved_statistics_come_back():
    layer, fresh = BatchNorm(3).double(), BatchNorm(3).double()
    layer(vectors())
    fresh.load_state_dict(layer.state_dict())
    x = vectors(1)
    assert torch.equal(layer.eval()(x)[0], fresh.eval()(x)[0])


@settings(deadline=None, max_examples=25)
@given(
    batch=st.lists(st.integers(1, 3), max_size=2), event=st.lists(st.integers(1, 4), min_size=1, max_size=3)
)
def test_any_shape(batch, event):
    torch.manual_seed(0)
    layer = BatchNorm(event[0], event_dim=len(event)).double()
    x = torch.randn(*batch, *event).double()
    layer(x)
    z, log_det = layer.eval()(x)
    assert z.shape == x.shape and log_det.shape == tuple(batch)
    torch.testing.assert_close(layer.inverse(z)[0], x, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("values", [torch.bfloat16, torch.float32, torch.float64])
def test_results_are_of_the_values_type_and_float32_at_least(values):
    layer, x = BatchNorm(3), torch.randn(4, 3).to(values)
    for training, direction in itertools.product((True, False), (layer, layer.inverse)):
        layer.train(training)
        z, log_det = direction(x)
        assert z.dtype == log_det.dtype == torch.promote_types(values, torch.float32)


def test_bad_arguments():
    layer = BatchNorm(3, event_dim=3)
    for call in (layer, layer.inverse):
        with pytest.raises(UserError, match=r"BatchNorm: expected events of shape \(3, …, …\), got"):
            call(torch.randn(2, 4, 5, 5))
    for momentum, eps in ((0.0, 1e-5), (1.5, 1e-5), (0.1, 0.0)):
        with pytest.raises(UserError, match=r"expected a momentum in \(0, 1\] and a positive eps"):
            BatchNorm(3, momentum=momentum, eps=eps)
