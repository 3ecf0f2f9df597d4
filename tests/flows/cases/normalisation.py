"""Layers that take their first or their every value from the batch."""

import torch

from wavegen.flows import ActNorm, BatchNorm


def vectors():
    return 2.0 * torch.randn(3, 4, dtype=torch.float64) + 1.0


def images():
    return 2.0 * torch.randn(3, 3, 2, 4, dtype=torch.float64) + 1.0


def nothing():
    return None


CASES = {
    "act norm of vectors": {"build": lambda: ActNorm(4, event_dim=1), "x": vectors, "context": nothing},
    "act norm of images": {"build": lambda: ActNorm(3), "x": images, "context": nothing},
    "batch norm of vectors": {"build": lambda: BatchNorm(4), "x": vectors, "context": nothing},
    "batch norm of images": {"build": lambda: BatchNorm(3, event_dim=3), "x": images, "context": nothing},
}
