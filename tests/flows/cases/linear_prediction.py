"""Linear prediction, in both directions, with a part of the last frame."""

import torch
from torch import nn

from wavegen.flows import LinearPrediction

ORDER, HOP, FRAMES = 3, 3, 4


class Frames(nn.Module):
    """Raw parameters of every frame from the two numbers of the context."""

    def __init__(self, num_parameters):
        super().__init__()
        self.net = nn.Linear(2, FRAMES * num_parameters)

    def forward(self, context):
        return self.net(context).unflatten(-1, (FRAMES, -1))


def waveform():
    return torch.randn(3, 11, dtype=torch.float64)


def build(**options):
    return LinearPrediction(order=ORDER, hop_samples=HOP, parameters=Frames, **options)


CASES = {
    "linear prediction": {"build": build, "x": waveform},
    "linear prediction, inverse": {"build": lambda: build(bandwidth_expansion=0.95).inv, "x": waveform},
}
