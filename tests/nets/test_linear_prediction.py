import numpy as np
import pytest
import torch

from wavegen.errors import UserError
from wavegen.nets.linear_prediction import LinearPrediction, linear_prediction_coefficients


class Zeros(torch.nn.Module):
    """A conditioner that sees nothing: what comes out is the prediction."""

    num_parameters, receptive_field = 1, 1

    def forward(self, x, context=None):
        return torch.zeros(*x.shape, 1, dtype=x.dtype)

    def project_context(self, context, num_samples):
        return None

    def initial_state(self, batch_size):
        return torch.zeros(batch_size)

    def step(self, x_previous, projected, state):
        return torch.zeros(*x_previous.shape, 1, dtype=x_previous.dtype), state + 1


def predictor(order):
    net = LinearPrediction(conditioner=Zeros(), shift_loc=lambda p, d: p + d[..., None], order=order).double()
    torch.nn.init.normal_(net.taps)
    return net


def test_linear_prediction_finds_an_autoregressive_process():
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(60_000, generator=generator, dtype=torch.float64)
    x = torch.zeros_like(noise)
    for t in range(2, len(x)):
        x[t] = 1.6 * x[t - 1] - 0.8 * x[t - 2] + noise[t]
    coefficients = linear_prediction_coefficients([x[:30_000].numpy(), x[30_000:].numpy()], 2)
    torch.testing.assert_close(
        torch.from_numpy(coefficients), torch.tensor([1.6, -0.8]).double(), rtol=0, atol=0.02
    )
    net = LinearPrediction(conditioner=Zeros(), shift_loc=lambda p, d: p + d[..., None], order=2).double()
    net.fit([x.numpy()])
    excerpt = x[None, 100:140]
    shift = net(excerpt)[0, 2:, 0]
    torch.testing.assert_close(shift, 1.6 * excerpt[0, 1:-1] - 0.8 * excerpt[0, :-2], rtol=0.03, atol=0.1)


def test_coefficients_are_those_of_the_autocorrelations_normal_equations():
    waveforms = [np.random.default_rng(seed).normal(size=40) for seed in (0, 1)]
    lags = [sum(x[: 40 - lag] @ x[lag:] for x in waveforms) for lag in range(4)]
    matrix = np.array([[lags[abs(i - j)] for j in range(3)] for i in range(3)])
    expected = np.linalg.solve(matrix, lags[1:])
    np.testing.assert_allclose(linear_prediction_coefficients(waveforms, 3), expected, atol=1e-7)


def test_the_synthesis_filter_is_stable_where_a_band_is_empty():
    t = np.arange(4000)
    coefficients = linear_prediction_coefficients([np.sin(0.1 * t) + np.sin(0.3 * t)], 8)
    roots = np.roots([1.0, *-coefficients])
    assert np.abs(roots).max() < 1


def test_recordings_shorter_than_the_order_count_with_the_lags_they_have():
    short, long = np.array([1.0, 2.0]), np.random.default_rng(0).normal(size=50)
    alone = linear_prediction_coefficients([np.pad(short, (0, 60)), long], 4)
    np.testing.assert_allclose(linear_prediction_coefficients([short, long], 4), alone)


def test_silence_cannot_be_fitted():
    with pytest.raises(UserError, match="all waveforms are silent"):
        linear_prediction_coefficients([np.zeros(10), np.zeros(3)], 2)


def test_every_sample_is_predicted_from_those_before_it():
    net = predictor(3)
    x = torch.randn(2, 7, dtype=torch.float64)
    padded = torch.cat([torch.zeros(2, 3).double(), x], 1)
    for t in range(7):
        torch.testing.assert_close(net.predict(x)[:, t], padded[:, t : t + 3] @ net.taps)


def test_steps_are_the_whole_forward():
    net = predictor(3)
    x = torch.randn(2, 7, dtype=torch.float64)
    state, previous, steps = net.initial_state(2), torch.zeros(2, dtype=torch.float64), []
    for t in range(7):
        parameters, state = net.step(previous, None, state)
        steps.append(parameters)
        previous = x[:, t]
    torch.testing.assert_close(torch.stack(steps, 1), net(x))
    assert state[1].tolist() == [7, 7], "the net's own state passes through"


def test_the_receptive_field_is_the_longer_one():
    assert predictor(5).receptive_field == 5 and predictor(0).receptive_field == 1
    assert predictor(5).num_parameters == 1
