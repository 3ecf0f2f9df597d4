"""Neural spline flows: rational-quadratic splines and linear maps in turn, coupling or autoregressive."""

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
    """RQ-NSF (C): LU-factorised linear map and coupling, ``num_flows`` times, then a last linear map.

    Both directions take one pass. ``transform`` defaults to ``RationalQuadraticSpline()``. Only the linear
    maps change data outside the bound of the spline, so standardise the data.

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
    return Flow(
        bijection=Compose(*layers, LULinear(features)), base=StandardNormal((features,)), context_rank=1
    )


def neural_spline_autoregressive(
    *,
    features: int,
    num_flows: int = 5,
    hidden: Sequence[int] = (64, 64),
    transform: nn.Module | None = None,
    context_features: int = 0,
) -> Flow:
    """RQ-NSF (AR): as ``neural_spline_coupling``, with masked autoregressive flows instead of couplings.

    It is more expressive. Sampling takes up to ``features`` passes per flow.
    """
    transform = RationalQuadraticSpline() if transform is None else transform
    layers: list[Bijection] = []
    for _ in range(num_flows):
        conditioner = MADE(features, transform.num_parameters, hidden, context_features)
        layers.append(LULinear(features))
        layers.append(Autoregressive(transform=transform, conditioner=conditioner))
    return Flow(
        bijection=Compose(*layers, LULinear(features)), base=StandardNormal((features,)), context_rank=1
    )
