"""Couplings: every split with a τ, every τ in a coupling and with free parameters."""

import torch
from torch import nn

from wavegen.flows import (
    Additive,
    Affine,
    AlternatingSplit,
    BoundedLogScale,
    Chained,
    ChannelSplit,
    CheckerboardSplit,
    Compose,
    Coupling,
    Elementwise,
    HalfSplit,
    MaskSplit,
    MixtureOfLogisticsCDF,
    MixtureOfLogisticsLogit,
    RationalQuadraticSpline,
)

FEATURES, CONTEXT = 5, 2
IMAGE = (3, 4, 2)


class Dense(nn.Module):
    """Parameters of the moved features of a vector: two linear maps and a nonlinearity between them."""

    def __init__(self, split, num_parameters: int, features: int = FEATURES) -> None:
        super().__init__()
        kept, moved = split.shapes((features,))
        self.num_parameters = num_parameters
        self.first = nn.Linear(kept[0], 6)
        self.context = nn.Linear(CONTEXT, 6)
        self.second = nn.Linear(6, moved[0] * num_parameters)

    def forward(self, kept, context=None):
        hidden = torch.tanh(self.first(kept) + (0 if context is None else self.context(context)))
        return self.second(hidden).unflatten(-1, (-1, self.num_parameters))


class Convolutional(nn.Module):
    """Parameters of the moved channels of an image, from a neighbourhood of 3×3."""

    def __init__(self, split, num_parameters: int) -> None:
        super().__init__()
        kept, moved = split.shapes(IMAGE)
        self.num_parameters = num_parameters
        self.first = nn.Conv2d(kept[0], 5, 3, padding=1)
        self.context = nn.Linear(CONTEXT, 5)
        self.second = nn.Conv2d(5, moved[0] * num_parameters, 3, padding=1)

    def forward(self, kept, context=None):
        hidden = self.first(kept) + (0 if context is None else self.context(context)[..., None, None])
        parameters = self.second(torch.tanh(hidden)).unflatten(1, (-1, self.num_parameters))
        # half: a steep spline's third derivative is what finite differences get wrong
        return 0.5 * parameters.movedim(2, -1)


def coupling(split, transform, conditioner=Dense):
    return Coupling(
        split=split, transform=transform, conditioner=conditioner(split, transform.num_parameters)
    )


def both_ways(split, transform, conditioner=Dense):
    """Two couplings, so that every element is kept once and moved once."""
    return Compose(coupling(split, transform, conditioner), coupling(split.swapped, transform, conditioner))


def flow_plus_plus():
    return Chained(MixtureOfLogisticsLogit(2, -7.0), Affine(log_scale_activation=BoundedLogScale(1.0)))


TRANSFORMS = {
    "additive": Additive,
    "affine": Affine,
    "bounded affine": lambda: Affine(log_scale_activation=BoundedLogScale(1.0)),
    "spline": lambda: RationalQuadraticSpline(4, bound=2.5),
    "mixture cdf": lambda: MixtureOfLogisticsCDF(2, -7.0),
    "mixture logit": lambda: MixtureOfLogisticsLogit(2, -7.0),
    "mixture logit then affine": flow_plus_plus,
    "spline then affine then additive": lambda: Chained(RationalQuadraticSpline(3), Affine(), Additive()),
}
VECTOR_SPLITS = {
    "half": HalfSplit,
    "alternating": AlternatingSplit,
    "half, swapped": lambda: HalfSplit().swapped,
    "alternating, swapped": lambda: AlternatingSplit().swapped,
    "one feature kept": lambda: HalfSplit(1),
    "mask": lambda: MaskSplit([True, False, False, True, False]),
    "mask, swapped": lambda: MaskSplit([True, False, False, True, False]).swapped,
}
IMAGE_SPLITS = {
    "channel": ChannelSplit,
    "channel, swapped": lambda: ChannelSplit().swapped,
    "checkerboard": CheckerboardSplit,
    "checkerboard, swapped": lambda: CheckerboardSplit().swapped,
    "channel mask": lambda: MaskSplit([False, True, False], event_dim=3),
}


def vector():
    return torch.randn(3, FEATURES, dtype=torch.float64)


def image():
    return torch.randn(3, *IMAGE, dtype=torch.float64)


CASES = {}
for name, transform in TRANSFORMS.items():
    CASES[f"elementwise {name} of a vector"] = {
        "build": lambda transform=transform: Elementwise(
            transform=transform(), shape=(FEATURES,), initial_std=1.0
        ),
        "x": vector,
    }
    CASES[f"half coupling, {name}"] = {
        "build": lambda transform=transform: coupling(HalfSplit(), transform()),
        "x": vector,
    }
for name, split in VECTOR_SPLITS.items():
    for tau in ("affine", "spline"):
        CASES[f"{name} split, {tau}"] = {
            "build": lambda split=split, tau=tau: coupling(split(), TRANSFORMS[tau]()),
            "x": vector,
        }
    CASES[f"{name} split, affine, both ways"] = {
        "build": lambda split=split: both_ways(split(), Affine()),
        "x": vector,
    }
for name, split in IMAGE_SPLITS.items():
    for tau in ("additive", "affine", "spline", "mixture logit then affine"):
        CASES[f"{name} split of an image, {tau}"] = {
            "build": lambda split=split, tau=tau: coupling(split(), TRANSFORMS[tau](), Convolutional),
            "x": image,
        }
CASES["checkerboard split of an image, both ways, inverse"] = {
    "build": lambda: both_ways(CheckerboardSplit(), Affine(), Convolutional).inv,
    "x": image,
}
