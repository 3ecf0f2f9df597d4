"""Stacks of planar, radial and Sylvester layers: flows with few hidden units per layer.

Each layer has a closed form in one direction only. Here this is f (x → z), so log p(x) takes one pass and
sampling solves one equation per layer. A variational posterior scores its own samples and needs the
opposite: use ``flow.bijection.inv``, which samples in closed form (Rezende and Mohamed 2015).
"""

from collections.abc import Callable, Sequence

from torch import nn

from wavegen.flows import (
    Bijection,
    Compose,
    Flow,
    HouseholderSylvester,
    OrthogonalSylvester,
    Planar,
    Radial,
    StandardNormal,
    TriangularSylvester,
)
from wavegen.nets.context_mlp import ContextMLP


def planar_flow(
    *, features: int, num_flows: int = 16, hidden: Sequence[int] = (64,), context_features: int = 0
) -> Flow:
    """``num_flows`` planar layers, each with one tanh unit, over a standard normal.

    With a context, a net with hidden layers of width ``hidden`` computes the parameters of every layer from
    it. Without a context, the parameters are learned directly.

    Rezende and Mohamed 2015 (arXiv 1505.05770).
    """
    return _stack(_planar, features, num_flows, hidden, context_features)


def _planar(features: int, index: int, parameters: nn.Module | None = None) -> Bijection:
    return Planar(features, parameters=parameters)


def radial_flow(
    *, features: int, num_flows: int = 16, hidden: Sequence[int] = (64,), context_features: int = 0
) -> Flow:
    """``num_flows`` radial layers over a standard normal; other arguments as for ``planar_flow``.

    Rezende and Mohamed 2015 (arXiv 1505.05770).
    """
    return _stack(_radial, features, num_flows, hidden, context_features)


def _radial(features: int, index: int, parameters: nn.Module | None = None) -> Bijection:
    return Radial(features, parameters=parameters)


def orthogonal(
    features: int, index: int, parameters: nn.Module | None = None, rank: int | None = None
) -> Bijection:
    """A Sylvester layer of ``rank`` orthonormal columns; ``rank`` defaults to ``features``."""
    rank = features if rank is None else rank
    return OrthogonalSylvester(features, rank, parameters=parameters)


def householder(
    features: int, index: int, parameters: nn.Module | None = None, num_reflections: int | None = None
) -> Bijection:
    """A Sylvester layer of ``num_reflections`` Householder reflections, by default ``features``."""
    num_reflections = features if num_reflections is None else num_reflections
    return HouseholderSylvester(features, num_reflections, parameters=parameters)


def triangular(features: int, index: int, parameters: nn.Module | None = None) -> Bijection:
    """A Sylvester layer whose basis is the identity for an even ``index`` and its reversal for an odd one."""
    order = range(features) if index % 2 == 0 else range(features)[::-1]
    return TriangularSylvester(features, order=order, parameters=parameters)


def sylvester_flow(
    *,
    features: int,
    num_flows: int = 8,
    layer: Callable[..., Bijection] = orthogonal,
    hidden: Sequence[int] = (64,),
    context_features: int = 0,
) -> Flow:
    """``num_flows`` Sylvester layers over a standard normal; other arguments as for ``planar_flow``.

    ``layer(features, index, parameters=…)`` builds layer ``index``. It is ``orthogonal``, ``householder``
    or ``triangular``, or a ``functools.partial`` that sets the rank.

    Van den Berg, Hasenclever, Tomczak and Welling 2018 (arXiv 1803.05649).
    """
    return _stack(layer, features, num_flows, hidden, context_features)


def _stack(
    layer: Callable[..., Bijection],
    features: int,
    num_flows: int,
    hidden: Sequence[int],
    context_features: int,
) -> Flow:
    layers = []
    for index in range(num_flows):
        built = layer(features, index)
        if context_features:
            net = ContextMLP(context_features, built.num_parameters, hidden)
            built = layer(features, index, parameters=net)
        layers.append(built)
    return Flow(bijection=Compose(*layers), base=StandardNormal((features,)), context_rank=1)
