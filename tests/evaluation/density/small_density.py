"""Images of noise, and a flow of them with two parameters."""

import torch
from torch import nn

from wavegen.data.images.image_set import ImageSet
from wavegen.flows import (
    Affine,
    Chain,
    ChannelSplit,
    Compose,
    Coupling,
    Flow,
    Rescale,
    Squeeze,
    StandardNormal,
    UniformDequantization,
)


def image_set(num_levels=4, shape=(1, 4, 4), labelled=True, padding=0):
    sizes = {"train": 40, "dev": 6, "test": 12}
    parts = {
        part: torch.randint(num_levels, (size, *shape), dtype=torch.uint8) for part, size in sizes.items()
    }
    labels = {part: torch.arange(size) % 3 for part, size in sizes.items()}
    names = ("a", "b", "c")
    extra = (labels, names) if labelled else (None, ())
    return ImageSet(
        **parts, num_levels=num_levels, name="x", labels=extra[0], label_names=extra[1], padding=padding
    )


class FromContext(nn.Module):
    """An affine coupling's parameters from labels and kept channels, by one linear layer each."""

    num_parameters = 2

    def __init__(self, features):
        super().__init__()
        self.linear = nn.Linear(features, 2) if features else None
        self.scale = nn.Parameter(torch.tensor(0.3))

    def forward(self, x, context=None):
        parameters = torch.stack([x.tanh(), 0.1 * x.tanh()], -1) * self.scale
        if self.linear is not None:
            parameters = parameters + self.linear(context)[:, None, None, None, :]
        return parameters


def small_flow(num_levels=4, features=0):
    squeeze = Squeeze()
    coupling = Coupling(split=ChannelSplit(), transform=Affine(), conditioner=FromContext(features))
    body = Compose(Rescale(scale=6.0, loc=-3.0), squeeze, coupling)
    return Flow(bijection=Chain(UniformDequantization(num_levels), body), base=StandardNormal((4, 2, 2)))
