"""Convolutions with an inverse."""

import torch

from wavegen.flows import (
    AutoregressiveConvolution,
    EmergingConvolution,
    InvertibleConvolution,
    LUConvolution,
    PeriodicConvolution,
)


def images():
    return torch.randn(3, 4, 3, 2, dtype=torch.float64)


def nothing():
    return None


BUILDERS = {
    "invertible convolution": lambda: InvertibleConvolution(4),
    "lu convolution": lambda: LUConvolution(4),
    "autoregressive convolution": lambda: AutoregressiveConvolution(4),
    "autoregressive convolution, kernel 5": lambda: AutoregressiveConvolution(4, kernel_size=5),
    "emerging convolution": lambda: EmergingConvolution(4),
    "periodic convolution": lambda: PeriodicConvolution(4, 3, 2),
}
CASES = {name: {"build": build, "x": images, "context": nothing} for name, build in BUILDERS.items()}
