"""Squeezing, factoring out, reshaping; images of (2, 4, 4)."""

import torch

from wavegen.flows import Affine, Compose, Elementwise, FactorOut, Reshape, Squeeze


def image():
    return torch.randn(3, 2, 4, 4, dtype=torch.float64)


def scale(*shape):
    return Elementwise(transform=Affine(), shape=shape)


BUILDERS = {
    "squeeze": Squeeze,
    "squeeze, inverse": lambda: Compose(Squeeze(), scale(8, 2, 2), Squeeze().inv),
    "factor out": lambda: FactorOut(scale(1, 4, 4)),
    "two scales": lambda: Compose(
        Squeeze(), scale(8, 2, 2), FactorOut(Compose(Squeeze(), scale(16, 1, 1))), scale(32, 1, 1)
    ),
    "reshape": lambda: Compose(Reshape((2, 4, 4), (32,)), scale(32)),
    "reshape, inverse": lambda: Compose(
        Reshape((2, 4, 4), (32,)), Reshape((8, 4), (32,)).inv, Reshape((2, 4, 4), (8, 4)).inv, scale(2, 4, 4)
    ),
}
CASES = {name: {"build": build, "x": image} for name, build in BUILDERS.items()}
