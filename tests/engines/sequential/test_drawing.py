"""Drawing in compiled code against the heads' own, from the same uniforms."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from numba import njit

from wavegen.distributions.heads import LogisticMixtureHead, MuLawHead, NormalHead
from wavegen.distributions.precision import bounded_logit, open_unit_interval
from wavegen.engines.sequential.drawing import draw, pick
from wavegen.engines.sequential.packed import MIXTURE, MU_LAW, NORMAL


class Head(NamedTuple):
    """What drawing reads of a net."""

    head: int
    num_components: int
    min_log_scale: float
    step: float
    low: float
    high: float
    levels: np.ndarray


@njit
def _draw_all(net, parameters, temperature, uniforms, noise, locs, log_scales, scales, out):
    stride = parameters.size // out.size
    for i in range(out.size):
        t = np.float32(temperature)
        out[i] = draw(
            net, parameters, i * stride, t, uniforms[i], noise[i], locs[i], log_scales[i], scales[i]
        )


@njit
def _pick_all(logits, temperature, uniforms, out):
    count = logits.size // out.size
    for i in range(out.size):
        out[i] = pick(logits, i * count, count, np.float32(temperature), uniforms[i])


def drawn(head, parameters, u_component, noise, temperature, locs, log_scales=None):
    mu_law = isinstance(head, MuLawHead)
    net = Head(
        MU_LAW if mu_law else MIXTURE if isinstance(head, LogisticMixtureHead) else NORMAL,
        getattr(head, "num_components", 1),
        float(getattr(head, "min_log_scale", 0.0)),
        float(getattr(head, "step", 1.0)),
        float(getattr(head, "low", -1.0)),
        float(getattr(head, "high", 1.0)),
        head(parameters[0]).grid.numpy().astype(np.float32) if mu_law else np.zeros(1, np.float32),
    )
    out = np.zeros(len(parameters), np.float32)
    flat = parameters.numpy().ravel().copy()
    log_scales = torch.zeros_like(locs) if log_scales is None else log_scales
    mapped = (each.numpy() for each in (locs, log_scales, log_scales.exp()))
    _draw_all(net, flat, temperature, u_component.numpy(), noise.numpy(), *mapped, out)
    return torch.from_numpy(out)


@pytest.mark.parametrize("temperature", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("head", [LogisticMixtureHead(3, -6.0), NormalHead(-6.0)], ids=repr)
def test_a_sample_is_the_heads_own(head, temperature):
    count = 2000
    parameters = torch.randn(count, head.num_parameters) - torch.tensor(2.0)
    u_component, u_value = torch.rand(2, count)
    locs, log_scales = 0.3 * torch.randn(count), torch.randn(count) - 2.0
    family = bounded_logit if isinstance(head, LogisticMixtureHead) else None
    noise = family(u_value) if family else torch.special.ndtri(open_unit_interval(u_value))
    law = head(head.affine(parameters, locs, log_scales))
    expected = law.sample_from_uniforms(u_component, u_value, temperature)
    found = drawn(head, parameters, u_component, noise, temperature, locs, log_scales)
    # a value next to the edge of a step may fall on its other side
    assert (found - expected).abs().max() <= 1.01 * head.step
    assert (found == expected).float().mean() > 0.98
    assert found.min() >= head.low and found.max() <= head.high


@pytest.mark.parametrize("temperature", [0.0, 0.6, 1.0])
def test_a_mu_law_draws_the_levels_of_the_head(temperature):
    head, count = MuLawHead(16), 2000
    parameters, u_component = torch.randn(count, 16), torch.rand(count)
    expected = head(parameters).sample_from_uniforms(u_component, None, temperature)
    found = drawn(head, parameters, u_component, torch.zeros(count), temperature, torch.zeros(count))
    torch.testing.assert_close(found, expected.float())


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_components_are_picked_by_their_share_of_the_uniforms(temperature):
    logits = np.array([0.3, -1.0, 2.0, 0.0], np.float32)
    uniforms = ((np.arange(4000) + 0.5) / 4000).astype(np.float32)
    picked = np.zeros(4000, np.int64)
    _pick_all(np.tile(logits, 4000), temperature, uniforms, picked)
    shares = np.exp(logits / temperature) / np.exp(logits / temperature).sum()
    assert (np.diff(picked) >= 0).all()
    np.testing.assert_allclose(np.bincount(picked, minlength=4) / 4000, shares, atol=1e-3)


def test_the_scale_has_its_floor_and_the_value_its_ends():
    head = NormalHead(-3.0)
    parameters = torch.tensor([[0.0, -50.0], [0.9, 0.0], [-0.9, 0.0]])
    noise = torch.tensor([1.0, 5.0, -5.0])
    found = drawn(head, parameters, torch.zeros(3), noise, 1.0, torch.zeros(3))
    assert found[0].item() == pytest.approx(np.exp(-3.0), abs=head.step)
    assert found[1:].tolist() == [head.high, head.low]
