"""Masked and inverse autoregressive flows: one stack, read in two directions."""

from collections.abc import Callable, Sequence

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
    context_features: int = 0,
) -> Flow:
    """``num_flows`` masked autoregressive flows, the order of the features reversed from one to the next.

    The density is one pass; generation takes up to ``features`` passes a flow. ``transform`` is
    ``bounded_affine()`` if not given: the paper's ``Affine()`` has free log-scales, with which a stack left
    the numbers within 400 steps. ``normalisation(features)`` builds what stands behind each flow (the
    paper's batch norm: ``BatchNorm`` with ``event_dim=1``), nothing for None.

    Papamakarios, Pavlakou and Murray 2017 (arXiv 1705.07057).
    """
    stack = autoregressive_stack(features, num_flows, hidden, transform, normalisation, context_features)
    return Flow(bijection=stack, base=base((features,)))


def iaf(
    *,
    features: int,
    num_flows: int = 5,
    hidden: Sequence[int] = (64, 64),
    transform: nn.Module | None = None,
    base: Callable[[Shape], nn.Module] = StandardNormal,
    context_features: int = 0,
) -> Flow:
    """The same stack with the roles of x and z exchanged: generation with its density is one pass, the
    density of given data up to ``features`` passes a flow.

    For variational posteriors and reverse KL. ``transform`` as in ``maf``. No batch norm: its statistics are
    of data.

    Kingma et al. 2016 (arXiv 1606.04934).
    """
    stack = autoregressive_stack(features, num_flows, hidden, transform, None, context_features)
    return Flow(bijection=stack.inv, base=base((features,)))


def autoregressive_stack(
    features: int,
    num_flows: int,
    hidden: Sequence[int],
    transform: nn.Module | None,
    normalisation: Callable[[int], Bijection] | None,
    context_features: int,
) -> Compose:
    """Autoregressive flows over MADEs, in the features' order and in the reverse of it by turns."""
    transform = bounded_affine() if transform is None else transform
    layers: list[Bijection] = []
    for index in range(num_flows):
        order = list(range(features)) if index % 2 == 0 else list(reversed(range(features)))
        conditioner = MADE(features, transform.num_parameters, hidden, context_features, order)
        layers.append(Autoregressive(transform=transform, conditioner=conditioner))
        if normalisation is not None:
            layers.append(normalisation(features))
    return Compose(*layers)
