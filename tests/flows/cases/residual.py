"""Planar, radial and Sylvester flows, their parameters free and made of the context."""

from torch import nn

from wavegen.flows import (
    Compose,
    HouseholderSylvester,
    OrthogonalSylvester,
    Planar,
    Radial,
    TriangularSylvester,
)

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
    "sylvester, orthogonal": lambda: OrthogonalSylvester(FEATURES, 2),
    "sylvester, orthogonal, rank one": lambda: OrthogonalSylvester(FEATURES, 1),
    "sylvester, orthogonal, amortised": lambda: amortised(OrthogonalSylvester, FEATURES, 3),
    "sylvester, orthogonal, amortised, inverse": lambda: amortised(OrthogonalSylvester, FEATURES, 3).inv,
    "sylvester, householder": lambda: HouseholderSylvester(FEATURES, 2),
    "sylvester, householder, amortised": lambda: amortised(HouseholderSylvester, FEATURES, 5),
    "sylvester, householder, amortised, inverse": lambda: amortised(HouseholderSylvester, FEATURES, 5).inv,
    "sylvester, triangular": lambda: TriangularSylvester(FEATURES, order=[3, 1, 0, 2]),
    "sylvester, triangular, amortised": lambda: amortised(TriangularSylvester, FEATURES),
    "sylvester, triangular, stacked, inverse": lambda: (
        Compose(
            TriangularSylvester(FEATURES),
            amortised(TriangularSylvester, FEATURES, order=range(FEATURES)[::-1]),
        ).inv
    ),
}
CASES = {name: {"build": build} for name, build in BUILDERS.items()}
