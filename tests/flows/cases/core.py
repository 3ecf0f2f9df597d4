"""The elements of the room: monotone maps, autoregressive bijections, compositions."""

import torch
from torch import nn

from wavegen.flows import (
    Affine,
    Autoregressive,
    BoundedLogScale,
    Compose,
    Elementwise,
    Logit,
    MixtureOfLogisticsCDF,
    MixtureOfLogisticsLogit,
    Sigmoid,
)

FEATURES, CONTEXT = 4, 2


class CausalConditioner(nn.Module):
    """Strictly causal and deliberately strong: a masked matrix, a nonlinearity, a masked matrix."""

    def __init__(self, num_parameters: int) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.first = nn.Linear(FEATURES, FEATURES)
        self.context = nn.Linear(CONTEXT, FEATURES)
        self.second = nn.Parameter(torch.randn(FEATURES, num_parameters, FEATURES))
        self.bias = nn.Parameter(torch.randn(FEATURES, num_parameters))

    def forward(self, x, context=None):
        hidden = x @ (self.first.weight.tril(-1)).mT + self.first.bias
        hidden = torch.tanh(hidden + (0 if context is None else self.context(context)))
        lower = torch.ones(FEATURES, FEATURES, dtype=x.dtype).tril()
        # the context reaches every element: unit i sees x before i, output i sees units up to i
        return torch.einsum("...j,ipj,ij->...ip", hidden, self.second, lower) + self.bias


class ZeroStart(CausalConditioner):
    """As nets start in practice: the last layer zero, so that gradients into earlier layers vanish."""

    def __init__(self, num_parameters: int) -> None:
        super().__init__(num_parameters)
        nn.init.zeros_(self.second)
        nn.init.zeros_(self.bias)


def autoregressive(transform, conditioner=CausalConditioner):
    return Autoregressive(transform=transform, conditioner=conditioner(transform.num_parameters))


def on_unit_interval():
    return torch.rand(3, FEATURES, dtype=torch.float64) * 0.9 + 0.05


BUILDERS = {
    "sigmoid": Sigmoid,
    "logit": Logit,
    "elementwise affine": lambda: Elementwise(transform=Affine(), shape=(FEATURES,)),
    "elementwise mixture cdf": lambda: Elementwise(transform=MixtureOfLogisticsCDF(3, -9.0), initial_std=1.0),
    "elementwise mixture logit": lambda: Elementwise(
        transform=MixtureOfLogisticsLogit(3, -9.0), shape=(FEATURES,), initial_std=1.0
    ),
    "maf": lambda: autoregressive(Affine()),
    "maf, zero start": lambda: autoregressive(Affine(), ZeroStart),
    "maf, bounded": lambda: autoregressive(Affine(log_scale_activation=BoundedLogScale(1.0))),
    "iaf": lambda: autoregressive(Affine()).inv,
    "autoregressive mixture cdf": lambda: autoregressive(MixtureOfLogisticsCDF(3, -9.0)),
    "autoregressive mixture logit": lambda: autoregressive(MixtureOfLogisticsLogit(3, -9.0)),
    "autoregressive mixture logit, inverse": lambda: autoregressive(MixtureOfLogisticsLogit(3, -9.0)).inv,
    "composition of ranks 0 and 1": lambda: Compose(
        autoregressive(MixtureOfLogisticsCDF(3, -9.0)), Logit(), autoregressive(Affine()).inv, Sigmoid()
    ),
    "inverse of a composition": lambda: Compose(autoregressive(Affine()), autoregressive(Affine()).inv).inv,
}
CASES = {name: {"build": build} for name, build in BUILDERS.items()}
CASES["logit"]["x"] = on_unit_interval
