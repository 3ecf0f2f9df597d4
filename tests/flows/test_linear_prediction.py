"""Linear prediction: stable, causal, the bijection of its formula, and invisible to a divergence."""

import numpy as np
import pytest
import torch
from scipy.linalg import solve_toeplitz
from scipy.signal import lfilter
from torch import nn

from wavegen.errors import UserError
from wavegen.flows.linear_prediction import LinearPrediction, predict, taps_of_reflections

ORDER, HOP = 3, 4


class Frames(nn.Module):
    """Raw parameters of every frame from two features of it."""

    def __init__(self, num_parameters):
        super().__init__()
        self.net = nn.Linear(2, num_parameters)

    def forward(self, context):
        return self.net(context)


def bijection(**options):
    torch.manual_seed(0)
    return LinearPrediction(order=ORDER, hop_samples=HOP, parameters=Frames, **options).double()


def context(batch=2, frames=5):
    return torch.randn(batch, frames, 2, dtype=torch.float64)


def test_taps_are_those_of_a_stable_filter():
    """All roots of z^p − Σ a_i z^(p−i) are inside the unit circle; a reflection above 1 moves one outside."""
    torch.manual_seed(0)
    reflections = torch.empty(50, 6, dtype=torch.float64).uniform_(-0.99, 0.99)
    for taps in taps_of_reflections(reflections):
        companion = torch.diag(torch.ones(5, dtype=torch.float64), -1)
        companion[0] = taps
        assert torch.linalg.eigvals(companion).abs().max() < 1
    companion[0] = taps_of_reflections(torch.tensor([0.3, -0.2, 0.1, 0.5, 0.0, 1.1], dtype=torch.float64))
    assert torch.linalg.eigvals(companion).abs().max() > 1


def test_reflections_are_the_partial_correlations_of_the_process():
    """k_m is the last of the m taps that predict the process best from m past samples."""
    reflections = torch.tensor([0.6, -0.3, 0.5, 0.2], dtype=torch.float64)
    denominator = np.concatenate([[1.0], -taps_of_reflections(reflections).numpy()])
    response = lfilter([1.0], denominator, np.eye(1, 2000)[0])
    autocorrelation = np.array([response[: 2000 - lag] @ response[lag:] for lag in range(5)])
    for m in range(1, 5):
        best = solve_toeplitz(autocorrelation[:m], autocorrelation[1 : m + 1])
        assert best[-1] == pytest.approx(reflections[m - 1].item())


def test_the_residual_is_that_of_the_formula():
    layer, told = bijection(), context()
    x = torch.randn(2, 18, dtype=torch.float64)
    z, log_det = layer(x, told)
    taps, log_gain = layer.coefficients(told)
    for row in range(2):
        for t in range(18):
            past = sum(taps[row, t // HOP, i] * x[row, t - 1 - i] for i in range(min(ORDER, t)))
            assert z[row, t].item() == pytest.approx(
                ((x[row, t] - past) * torch.exp(-log_gain[row, t // HOP])).item()
            )
    gains = log_gain[:, torch.arange(18) // HOP]
    torch.testing.assert_close(log_det, -gains.sum(-1))


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_no_sample_depends_on_a_later_one(direction):
    layer, told = bijection(), context()
    value = torch.randn(2, 20, dtype=torch.float64, requires_grad=True)
    output, _ = getattr(layer, direction)(value, told)
    (gradient,) = torch.autograd.grad(output[:, 9].sum(), value)
    assert gradient[:, 9].abs().min() > 0 and gradient[:, :9].abs().max() > 0
    assert not gradient[:, 10:].any()


def test_a_divergence_is_the_same_before_and_behind_it():
    """log q − log p of a sample does not change if both densities are pushed through the same bijection."""
    layer, told = bijection(), context()
    q, p = torch.distributions.Normal(0.3, 0.7), torch.distributions.Laplace(-0.2, 1.1)
    e = q.sample((2, 20)).double()
    x, log_det = layer.inverse(e, told)
    residual, back = layer(x, told)
    behind = (q.log_prob(e).sum(-1) - log_det) - (p.log_prob(residual).sum(-1) + back)
    before = (q.log_prob(e) - p.log_prob(e)).sum(-1)
    torch.testing.assert_close(behind, before)


def test_bandwidth_expansion_moves_every_pole_inwards():
    told = context()
    plain, _ = bijection().coefficients(told)
    wide, _ = bijection(bandwidth_expansion=0.9).coefficients(told)
    torch.testing.assert_close(wide, plain * torch.tensor([0.9, 0.81, 0.729], dtype=torch.float64))


def test_parameters_may_be_common_to_the_batch():
    layer, told = bijection(), context(batch=1)
    x = torch.randn(3, 20, dtype=torch.float64)
    each = layer(x, told.expand(3, -1, -1))
    for one, other in zip(layer(x, told[0]), each, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("num_samples", [1, 3, 4, 17, 20])
def test_an_utterance_may_end_within_a_frame(num_samples):
    layer, told = bijection(), context()
    x = torch.randn(2, 20, dtype=torch.float64)
    whole, _ = layer(x, told)
    part, log_det = layer(x[:, :num_samples], told)
    torch.testing.assert_close(part, whole[:, :num_samples])
    torch.testing.assert_close(layer.inverse(part, told)[1], -log_det)


def test_prediction_uses_the_taps_of_the_sample_it_predicts():
    taps = torch.tensor([[[1.0], [10.0]]])
    assert predict(torch.tensor([[1.0, 2.0, 3.0, 4.0]]), taps, 2).tolist() == [[0.0, 1.0, 20.0, 30.0]]


def test_what_does_not_fit_is_named():
    layer = bijection()
    with pytest.raises(UserError, match="at most 20 samples, which the frames cover, got shape"):
        layer(torch.zeros(2, 21, dtype=torch.float64), context())
    with pytest.raises(UserError, match=r"expected parameters \(batch, frames, 4\), got shape \(2, 5, 3\)"):
        LinearPrediction(order=3, hop_samples=4, parameters=lambda **_: Frames(3))(
            torch.zeros(2, 4), context().float()
        )
    with pytest.raises(UserError, match="at least 1, got 0 and 4"):
        LinearPrediction(order=0, hop_samples=4, parameters=Frames)
    with pytest.raises(UserError, match=r"bandwidth_expansion in \(0, 1\], got 1\.1"):
        LinearPrediction(order=2, hop_samples=4, parameters=nn.Identity, bandwidth_expansion=1.1)
    with pytest.raises(UserError, match=r"max_reflection in \(0, 1\), got 1"):
        LinearPrediction(order=3, hop_samples=4, parameters=Frames, max_reflection=1)
