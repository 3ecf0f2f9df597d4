"""Neural spline flows: rational-quadratic splines with linear maps between, coupling or autoregressive."""

from collections.abc import Sequence

from torch import nn

from wavegen.flows import (
    AlternatingSplit,
    Autoregressive,
    Compose,
    Coupling,
    Flow,
    LULinear,
    RationalQuadraticSpline,
    StandardNormal,
)
from wavegen.flows.bijection import Bijection
from wavegen.nets.made import MADE
from wavegen.nets.mlp import MLP


def neural_spline_coupling(
    *,
    features: int,
    num_flows: int = 5,
    hidden: Sequence[int] = (64, 64),
    transform: nn.Module | None = None,
    context_features: int = 0,
) -> Flow:
    """RQ-NSF (C): an LU-factorised linear map, then a coupling, ``num_flows`` times, and a last linear map.

    Both directions are one pass. ``transform`` is ``RationalQuadraticSpline()`` if not given: data beyond
    its bound is moved by the linear maps only, so standardise.

    Durkan, Bekasov, Murray and Papamakarios 2019 (arXiv 1906.04032).
    """
    transform = RationalQuadraticSpline() if transform is None else transform
    layers: list[Bijection] = []
    for index in range(num_flows):
        split = AlternatingSplit() if index % 2 == 0 else AlternatingSplit().swapped
        (kept,), (moved,) = split.shapes((features,))
        conditioner = MLP(kept, moved, transform.num_parameters, hidden, context_features)
        layers.append(LULinear(features))
        layers.append(Coupling(split=split, transform=transform, conditioner=conditioner))
    return Flow(bijection=Compose(*layers, LULinear(features)), base=StandardNormal((features,)))


def neural_spline_autoregressive(
    *,
    features: int,
    num_flows: int = 5,
    hidden: Sequence[int] = (64, 64),
    transform: nn.Module | None = None,
    context_features: int = 0,
) -> Flow:
    """RQ-NSF (AR): the same with masked autoregressive flows; more expressive, up to ``features`` passes a
    flow to generate.
    """
    transform = RationalQuadraticSpline() if transform is None else transform
    layers: list[Bijection] = []
    for _ in range(num_flows):
        conditioner = MADE(features, transform.num_parameters, hidden, context_features)
        layers.append(LULinear(features))
        layers.append(Autoregressive(transform=transform, conditioner=conditioner))
    return Flow(bijection=Compose(*layers, LULinear(features)), base=StandardNormal((features,)))
