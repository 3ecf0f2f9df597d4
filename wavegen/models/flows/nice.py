"""NICE: additive couplings, then one scale per dimension."""

import math
from collections.abc import Callable, Sequence

from torch import nn

from wavegen.flows import (
    Additive,
    AlternatingSplit,
    Bijection,
    Compose,
    Coupling,
    Diagonal,
    Flow,
    Reshape,
    StandardLogistic,
    Transform,
)
from wavegen.models.flows.dequantized import centred, image_flow
from wavegen.models.flows.multiscale import Shape
from wavegen.nets.mlp import MLP


def nice(
    *,
    features: int,
    hidden: Sequence[int] = (64, 64),
    num_couplings: int = 4,
    scaling: Callable[[int], Bijection] = Diagonal,
    base: Callable[[Shape], nn.Module] = StandardLogistic,
    context_features: int = 0,
) -> Flow:
    """Additive couplings of even and odd features alternately, then z_i · s_i, over logistic noise.

    The couplings preserve volume; only ``scaling(features)`` changes it. The paper uses ``Diagonal``.
    ``ActNorm(event_dim=1)`` is the same map with an offset, initialised from a batch. It saves the steps in
    which log s_i grows from 0 to the scale of a nearly constant pixel.

    Dinh, Krueger and Bengio 2015 (arXiv 1410.8516); the paper's MNIST model has four couplings of five
    hidden layers of 1,000 units.
    """
    return Flow(
        bijection=_nice(features, hidden, num_couplings, scaling, context_features),
        base=base((features,)),
        context_rank=1,
    )


def nice_image(
    *,
    image_shape: Shape,
    hidden: Sequence[int] = (64, 64),
    num_couplings: int = 4,
    scaling: Callable[[int], Bijection] = Diagonal,
    base: Callable[[Shape], nn.Module] = StandardLogistic,
    dequantization: Transform | None = None,
    preprocessing: Bijection | None = None,
    context_features: int = 0,
) -> Flow:
    """NICE over an image flattened to a vector, for whole pixel levels of ``image_shape`` (C, H, W).

    Defaults: ``dequantization`` is uniform over 256 levels, ``preprocessing`` is ``centred()``.
    """
    features = math.prod(image_shape)
    body = Compose(
        Reshape(image_shape, (features,)), _nice(features, hidden, num_couplings, scaling, context_features)
    )
    return image_flow(
        image_shape,
        body=body,
        preprocessing=centred() if preprocessing is None else preprocessing,
        dequantization=dequantization,
        base=base,
    )


def _nice(
    features: int,
    hidden: Sequence[int],
    num_couplings: int,
    scaling: Callable[[int], Bijection],
    context_features: int,
) -> Bijection:
    couplings = []
    for index in range(num_couplings):
        split = AlternatingSplit() if index % 2 == 0 else AlternatingSplit().swapped
        (kept,), (moved,) = split.shapes((features,))
        conditioner = MLP(kept, moved, Additive.num_parameters, hidden, context_features)
        couplings.append(Coupling(split=split, transform=Additive(), conditioner=conditioner))
    return Compose(*couplings, scaling(features))
