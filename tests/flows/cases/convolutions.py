"""Convolutions with an inverse."""

import torch

from wavegen.flows import InvertibleConvolution, LUConvolution


def images():
    return torch.randn(3, 4, 2, 3, dtype=torch.float64)


def nothing():
    return None


BUILDERS = {
    "invertible convolution": lambda: InvertibleConvolution(4),
    "lu convolution": lambda: LUConvolution(4),
}
CASES = {name: {"build": build, "x": images, "context": nothing} for name, build in BUILDERS.items()}
