"""Teachers and students whose laws are given, and a divergence between them taken apart."""

import torch
from torch import nn

from wavegen.distributions.discretized_logistic_mixture import DiscretizedLogisticMixture
from wavegen.distributions.logistic import Logistic
from wavegen.objectives.distillation import DistillationStep

SHAPE = (2, 3)


ALL = torch.ones(SHAPE, dtype=torch.bool)


WAVEFORM = torch.zeros(SHAPE, dtype=torch.float64)


class Constant(nn.Module):
    """A teacher whose law of every sample is given, whatever the past."""

    def __init__(self, law):
        super().__init__()
        self.law = law

    def conditionals(self, x, context):
        return self.law


class Said:
    """A student that says a given sample, by given laws."""

    def __init__(self, waveform, law):
        self.spoken = waveform, law

    def noise(self, shape):
        return None

    def rsample_with_conditionals(self, noise, context):
        return self.spoken


class Estimate:
    """A divergence's term by its parts."""

    def __init__(self, divergence, teacher, waveform, law, context, mask):
        step = DistillationStep(
            teacher=teacher, student=Said(waveform, law), recording=waveform, context=context, mask=mask
        )
        term = divergence(step)
        self.loss = term.value
        for name, value in term.log.items():
            setattr(self, name.removesuffix("_nats"), value)


def mixture():
    parameters = torch.randn(3, *SHAPE, 4, dtype=torch.float64)
    return DiscretizedLogisticMixture(parameters[0], 0.3 * parameters[1], -2 + 0.5 * parameters[2])


def student_law(family=Logistic):
    loc, log_scale = torch.randn(2, *SHAPE, dtype=torch.float64)
    return family(0.2 * loc, -2 + 0.3 * log_scale)


def cross_entropy_by_quadrature(law, density):
    """−∫ q log p by the trapezoidal rule over ±60 scales, where an analytic integrand converges fast."""
    u = torch.linspace(-60, 60, 20_001, dtype=torch.float64)
    x = law.loc + law.scale * u.view(-1, 1, 1)
    integrand = -law.log_prob(x).exp() * density.log_prob(x)
    return (integrand.sum(0) * (u[1] - u[0]) * law.scale).mean()
