"""Flows of few hidden units a layer: planar, radial.

Their closed direction is the one whose density training needs: read as f (x → z), log p(x) is one pass and
sampling solves an equation a layer. For a variational posterior, which samples and scores its own samples,
take ``flow.bijection.inv``: the closed direction then generates (Rezende and Mohamed 2015).
"""

from collections.abc import Callable, Sequence

from wavegen.flows import Compose, Flow, Planar, Radial, StandardNormal
from wavegen.flows.parameters import ParametrisedBijection
from wavegen.nets.context_mlp import ContextMLP


def planar_flow(
    *, features: int, num_flows: int = 16, hidden: Sequence[int] = (64,), context_features: int = 0
) -> Flow:
    """``num_flows`` planar layers, each one tanh unit wide, over a standard normal.

    With a context every layer's parameters are a net of it, ``hidden`` wide; else they are learned tables.

    Rezende and Mohamed 2015 (arXiv 1505.05770).
    """
    return _stack(Planar, features, num_flows, hidden, context_features)


def radial_flow(
    *, features: int, num_flows: int = 16, hidden: Sequence[int] = (64,), context_features: int = 0
) -> Flow:
    """``num_flows`` radial layers over a standard normal; else as ``planar_flow``.

    Rezende and Mohamed 2015 (arXiv 1505.05770).
    """
    return _stack(Radial, features, num_flows, hidden, context_features)


def _stack(
    layer: Callable[..., ParametrisedBijection],
    features: int,
    num_flows: int,
    hidden: Sequence[int],
    context_features: int,
    **settings: object,
) -> Flow:
    layers = []
    for _ in range(num_flows):
        net = None
        if context_features:
            count = layer.count_parameters(features, **settings)
            net = ContextMLP(context_features, count, hidden)
        layers.append(layer(features, parameters=net, **settings))
    return Flow(bijection=Compose(*layers), base=StandardNormal((features,)))
