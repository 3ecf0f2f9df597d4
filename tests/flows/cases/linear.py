"""Permutations and linear maps of vectors."""

import torch

from wavegen.flows import Diagonal, LULinear, Permutation, QRLinear, Reversal, Triangular


def images():
    return torch.randn(3, 4, 2, 3, dtype=torch.float64)


def nothing():
    return None


VECTORS = {
    "permutation": lambda: Permutation([2, 0, 3, 1]),
    "random permutation": lambda: Permutation.random(4, seed=3),
    "diagonal": lambda: Diagonal(4),
    "triangular": lambda: Triangular(4),
    "lu linear": lambda: LULinear(4),
    "qr linear": lambda: QRLinear(4),
    "qr linear, three reflections": lambda: QRLinear(4, num_householder=3),
}
IMAGES = {
    "reversed channels": lambda: Permutation.reverse(4, event_dim=3),
    "reversed events": lambda: Reversal(event_dim=3),
}
CASES = {name: {"build": build, "context": nothing} for name, build in VECTORS.items()}
CASES |= {name: {"build": build, "x": images, "context": nothing} for name, build in IMAGES.items()}
