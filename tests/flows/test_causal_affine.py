"""Scales of the context only: their logarithms are the diagonal of the Jacobian, and they add up."""

import torch
from torch import Tensor

from wavegen.flows.causal_affine import CausalAffine, CausalAffineSeries


class Smooth(CausalAffine):
    """x_t = a · x_(t−1) + exp(context) z_t."""

    def __init__(self, coefficient: float) -> None:
        super().__init__()
        self.coefficient = coefficient

    def normalise(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        past = torch.nn.functional.pad(x, (1, 0))[:, :-1]
        log_scale = context.expand_as(x)
        return (x - self.coefficient * past) * torch.exp(-log_scale), log_scale

    def generate(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        log_scale, samples = context.expand_as(z), [torch.zeros_like(z[:, 0])]
        for value in (z * log_scale.exp()).unbind(1):
            samples.append(value + self.coefficient * samples[-1])
        return torch.stack(samples[1:], 1), log_scale


def test_log_scales_add_up_to_the_log_determinant():
    torch.manual_seed(0)
    series, context = CausalAffineSeries(Smooth(0.5), Smooth(-0.3)), torch.randn(1, 6, dtype=torch.float64)
    z = torch.randn(1, 6, dtype=torch.float64)
    x, log_scale = series.generate(z, context)
    torch.testing.assert_close(log_scale, 2 * context)
    torch.testing.assert_close(series.normalise(x, context), (z, log_scale))
    jacobian = torch.autograd.functional.jacobian(lambda noise: series.inverse(noise, context)[0][0], z)[:, 0]
    assert torch.equal(jacobian.triu(1), torch.zeros_like(jacobian))
    torch.testing.assert_close(jacobian.diagonal().log(), log_scale[0])
    torch.testing.assert_close(series(x, context)[1], -jacobian.det().log()[None])
