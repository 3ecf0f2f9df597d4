"""Permutations and linear maps of vectors."""

import torch

from wavegen.flows import Permutation


def images():
    return torch.randn(3, 4, 2, 3, dtype=torch.float64)


def nothing():
    return None


VECTORS = {
    "permutation": lambda: Permutation([2, 0, 3, 1]),
    "random permutation": lambda: Permutation.random(4, seed=3),
}
IMAGES = {
    "reversed channels": lambda: Permutation.reverse(4, event_dim=3),
}
CASES = {name: {"build": build, "context": nothing} for name, build in VECTORS.items()}
CASES |= {name: {"build": build, "x": images, "context": nothing} for name, build in IMAGES.items()}
