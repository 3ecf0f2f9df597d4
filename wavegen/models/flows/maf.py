"""Masked and inverse autoregressive flows: the same stack of layers used in opposite directions."""

from collections.abc import Callable, Mapping, Sequence

from torch import nn

from wavegen.flows import Autoregressive, Bijection, Compose, Flow, StandardNormal
from wavegen.models.flows.multiscale import Shape
from wavegen.models.flows.real_nvp import bounded_affine
from wavegen.nets.made import MADE


def maf(
    *,
    features: int,
    num_flows: int = 5,
    hidden: Sequence[int] = (64, 64),
    transform: nn.Module | None = None,
    normalisation: Callable[[int], Bijection] | None = None,
    base: Callable[[Shape], nn.Module] = StandardNormal,
    context_features: int | Mapping[str, int] = 0,
) -> Flow:
    """``num_flows`` masked autoregressive flows; the order of the features is reversed after each flow.

    The density takes one pass. Sampling takes up to ``features`` passes per flow. ``transform`` defaults to
    ``bounded_affine()``. The paper's ``Affine()`` has unbounded log-scales; a stack with it overflowed
    within 400 training steps. ``normalisation(features)`` builds the layer after each flow, for example the
    paper's batch norm, ``BatchNorm`` with ``event_dim=1``. None adds no layer. ``context_features`` is the
    width of the context, or the widths of several tensors by name.

    Papamakarios, Pavlakou and Murray 2017 (arXiv 1705.07057).
    """
    stack = autoregressive_stack(features, num_flows, hidden, transform, normalisation, context_features)
    return Flow(bijection=stack, base=base((features,)), context_rank=1)


def iaf(
    *,
    features: int,
    num_flows: int = 5,
    hidden: Sequence[int] = (64, 64),
    transform: nn.Module | None = None,
    base: Callable[[Shape], nn.Module] = StandardNormal,
    context_features: int | Mapping[str, int] = 0,
) -> Flow:
    """The stack of ``maf`` with x and z exchanged, for variational posteriors and reverse KL.

    Sampling with its density takes one pass. The density of given data takes up to ``features`` passes per
    flow. ``transform`` is as in ``maf``. There is no batch norm, because its statistics come from data.

    Kingma et al. 2016 (arXiv 1606.04934).
    """
    stack = autoregressive_stack(features, num_flows, hidden, transform, None, context_features)
    return Flow(bijection=stack.inv, base=base((features,)), context_rank=1)


def autoregressive_stack(
    features: int,
    num_flows: int,
    hidden: Sequence[int],
    transform: nn.Module | None,
    normalisation: Callable[[int], Bijection] | None,
    context_features: int | Mapping[str, int],
) -> Compose:
    """Autoregressive flows over MADEs, alternating between the order of the features and its reverse."""
    transform = bounded_affine() if transform is None else transform
    layers: list[Bijection] = []
    for index in range(num_flows):
        order = list(range(features)) if index % 2 == 0 else list(reversed(range(features)))
        conditioner = MADE(features, transform.num_parameters, hidden, context_features, order)
        layers.append(Autoregressive(transform=transform, conditioner=conditioner))
        if normalisation is not None:
            layers.append(normalisation(features))
    return Compose(*layers)
