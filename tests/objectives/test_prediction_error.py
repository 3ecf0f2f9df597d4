"""The prediction error is Itakura's distance up to a constant, and does not depend on the gain."""

import math

import pytest
import scipy.signal
import torch

from wavegen.audio.waveform import GRID_STEP
from wavegen.errors import UserError
from wavegen.flows.linear_prediction import predict
from wavegen.objectives.prediction_error import PredictionError

TRUE = torch.tensor([1.3, -0.8], dtype=torch.float64)


@pytest.fixture
def noise():
    """A filtered noise of 10 s, ``(1, time)``."""
    driven = scipy.signal.lfilter([1.0], [1.0, *(-TRUE).tolist()], torch.randn(80_000).double().numpy())
    return 0.01 * torch.from_numpy(driven)[None]


def error_of(taps, x, loss):
    residual = x - predict(x, taps.expand(1, -(-x.shape[1] // 40), -1), 40)
    return loss(residual, torch.ones_like(residual, dtype=torch.bool))


def power_response(taps):
    """|A|² at equally spaced frequencies."""
    return torch.fft.fft(torch.cat([taps.new_ones(1), -taps]), 4096).abs().square()


def test_it_is_smallest_at_the_filter_of_the_signal(noise):
    loss, taps = PredictionError(sample_rate=8000), TRUE.clone().requires_grad_()
    error = error_of(taps, noise, loss)
    (gradient,) = torch.autograd.grad(error, taps)
    assert gradient.abs().max() < 0.02  # an estimate from 10 s
    for change in torch.eye(2, dtype=torch.float64):
        for sign in (-0.1, 0.1):
            assert error_of(TRUE + sign * change, noise, loss) > error


def test_its_excess_is_itakuras_distance_of_the_two_spectra(noise):
    """1/2 log of the mean of |A / A*|² over frequencies; windows are long, so that their scatter is small."""
    loss, other = PredictionError(sample_rate=8000, window_ms=2000, hop_ms=500), TRUE.new_tensor([1.0, -0.5])
    distance = 0.5 * (power_response(other) / power_response(TRUE)).mean().log()
    excess = error_of(other, noise, loss) - error_of(TRUE, noise, loss)
    torch.testing.assert_close(excess, distance, rtol=0.03, atol=0)


def test_a_gain_is_a_constant(noise):
    loss = PredictionError(sample_rate=8000)
    taps = torch.tensor([0.9, -0.3]).double().requires_grad_()
    quiet, loud = error_of(taps, noise, loss), error_of(taps, 8 * noise, loss)
    torch.testing.assert_close(loud - quiet, torch.tensor(math.log(8)).double(), rtol=1e-5, atol=0)
    gradients = [torch.autograd.grad(error, taps)[0] for error in (quiet, loud)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=0)


def test_silence_is_at_the_level_of_rounding():
    silence = PredictionError(sample_rate=8000)(torch.zeros(2, 400), torch.ones(2, 400, dtype=torch.bool))
    assert silence.item() == pytest.approx(math.log(GRID_STEP / math.sqrt(12)))


def test_only_windows_that_are_scored_whole_count():
    """Also where the rows of a batch have other lengths."""
    loss, residual = PredictionError(sample_rate=8000), torch.randn(2, 800)
    times = torch.arange(800)
    mask = torch.stack([(times >= 80) & (times < 800), (times >= 80) & (times < 400)])
    levels = [
        0.5 * math.log((residual[row, first : first + 160].double().square() * loss.weights).sum())
        for row, end in ((0, 800), (1, 400))
        for first in range(80, end - 159, 80)
    ]
    assert len(levels) == 8 + 3
    assert loss(residual, mask).item() == pytest.approx(sum(levels) / len(levels), rel=1e-5)
    changed = torch.where(mask, residual, torch.nan)
    assert loss(changed, mask) == loss(residual, mask)
    short = torch.ones(1, 100, requires_grad=True)
    assert loss(short, torch.ones(1, 100, dtype=torch.bool)) == 0


def test_a_hop_below_a_sample_is_refused():
    with pytest.raises(UserError, match="less than a sample"):
        PredictionError(sample_rate=8000, hop_ms=0.01)
