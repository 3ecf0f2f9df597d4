"""Monotone maps that depend on nothing else; sigmoid and logit are among the room's elements."""

import torch

from wavegen.flows import Compose, LeakyReLU, LearnableLeakyReLU, Softplus, Tanh


def positive():
    return torch.rand(3, 4, dtype=torch.float64) * 3 + 0.05


def within_one():
    return torch.rand(3, 4, dtype=torch.float64) * 1.9 - 0.95


CASES = {
    "softplus": {"build": Softplus},
    "inverse of softplus": {"build": lambda: Softplus().inv, "x": positive},
    "tanh": {"build": Tanh},
    "inverse of tanh": {"build": lambda: Tanh().inv, "x": within_one},
    "leaky relu": {"build": lambda: LeakyReLU(0.1)},
    "leaky relu, steeper below": {"build": lambda: LeakyReLU(3.0)},
    "learnable leaky relu": {"build": LearnableLeakyReLU},
    "learnable leaky relu per feature": {"build": lambda: LearnableLeakyReLU(shape=(4,))},
    "learnable leaky relu per channel": {
        "build": lambda: LearnableLeakyReLU(shape=(2, 1, 1)),
        "x": lambda: torch.randn(3, 2, 3, 2, dtype=torch.float64),
    },
    "tanh of a leaky relu": {"build": lambda: Compose(LearnableLeakyReLU(), Tanh())},
}
