"""Planar, radial and Sylvester flows, their parameters free and made of the context."""

from torch import nn

from wavegen.flows import Compose, Planar, Radial

FEATURES, CONTEXT = 4, 2


def amortised(flow, *arguments, **keywords):
    net = nn.Linear(CONTEXT, flow.count_parameters(*arguments, **keywords))
    return flow(*arguments, **keywords, parameters=net)


BUILDERS = {
    "planar": lambda: Planar(FEATURES),
    "planar, amortised": lambda: amortised(Planar, FEATURES),
    "planar, amortised, inverse": lambda: amortised(Planar, FEATURES).inv,
    "planar, stacked, inverse": lambda: Compose(*[Planar(FEATURES) for _ in range(4)]).inv,
    "radial": lambda: Radial(FEATURES),
    "radial, amortised": lambda: amortised(Radial, FEATURES),
    "radial, amortised, inverse": lambda: amortised(Radial, FEATURES).inv,
    "radial, stacked, inverse": lambda: Compose(*[Radial(FEATURES) for _ in range(4)]).inv,
}
CASES = {name: {"build": build} for name, build in BUILDERS.items()}
