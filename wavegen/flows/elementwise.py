"""A monotone map per element with free parameters: what is conditioned on nothing."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavegen.flows.bijection import Bijection, Context


class Elementwise(Bijection):
    """z_i = τ(x_i; θ_i), θ a learned table; event rank 0. ``shape`` is the trailing shape that has its
    own parameters each; dimensions before it share them. θ starts from a standard normal times
    ``initial_std``, so that the components of a mixture differ.
    """

    event_dim = 0

    def __init__(self, *, transform: nn.Module, shape: Sequence[int] = (), initial_std: float = 0.1) -> None:
        super().__init__()
        self.transform = transform
        self.table = nn.Parameter(initial_std * torch.randn(*shape, transform.num_parameters))

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        return self.transform(x, self.table.expand(*x.shape, -1))

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        return self.transform.inverse(z, self.table.expand(*z.shape, -1))
