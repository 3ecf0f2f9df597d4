"""Packs masked affine layers for the compiled kernel and divides the batch among threads."""

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor, nn

from wavegen.compiled import masked_affine as made_kernel
from wavegen.distributions.batches import Context
from wavegen.flows.affine import Affine, BoundedLogScale
from wavegen.flows.autoregressive import Autoregressive
from wavegen.flows.masked.ranked_layer import conditioner_of, flatten_rows

# activations of the kernel, by the exact type of the module: a subclass may compute something else
_ACTIVATIONS: dict[type[nn.Module], Callable[[nn.Module], tuple[int, float]]] = {
    nn.Identity: lambda module: (made_kernel.IDENTITY, 0.0),
    nn.ReLU: lambda module: (made_kernel.RELU, 0.0),
    nn.LeakyReLU: lambda module: (made_kernel.LEAKY_RELU, module.negative_slope),
    nn.ELU: lambda module: (made_kernel.ELU, module.alpha),
    nn.SiLU: lambda module: (made_kernel.SILU, 0.0),
    nn.Tanh: lambda module: (made_kernel.TANH, 1.0),
    nn.Sigmoid: lambda module: (made_kernel.SIGMOID, 0.0),
    BoundedLogScale: lambda module: (made_kernel.TANH, module.bound),
}

_LEAST_SHARE = 32  # minimum number of samples for each thread


def why_not_compiled(layer: Autoregressive) -> str | None:
    """The reason why the kernel cannot run a layer with a masked net; None if it can."""
    transform, activation = layer.transform, conditioner_of(layer).activation
    if type(transform) is not Affine:
        return f"its transform is {type(transform).__name__}, not Affine"
    if type(transform.log_scale_activation) not in _ACTIVATIONS:
        return f"the activation of its log-scale is {type(transform.log_scale_activation).__name__}"
    if type(activation) not in _ACTIVATIONS:
        return f"its net's activation is {type(activation).__name__}"
    return None


class MaskedAffineRun:
    """The inverse of several consecutive masked affine layers; z and x ``(…, features)``.

    The layers are given in the order in which they are inverted. The batch is divided among as many threads
    as torch has; each thread computes all layers for its share.
    """

    def __init__(self, layers: Sequence[Autoregressive]) -> None:
        self.layers = [_PackedLayer(layer) for layer in layers]

    def __call__(self, z: Tensor, context: Context) -> Tensor:
        inputs = [flatten_rows(layer.made, z, context) for layer in self.layers]
        values = inputs[0][0].mT.to(self.layers[0].dtype, copy=True, memory_format=torch.contiguous_format)
        starts = [layer.start(joined) for layer, (_, joined) in zip(self.layers, inputs, strict=True)]
        columns, batch = values.numpy(), values.shape[1]

        def work(first: int, last: int) -> None:
            for layer, start in zip(self.layers, starts, strict=True):
                layer.invert(columns, start, first, last)

        num_workers = max(1, min(torch.get_num_threads(), batch // _LEAST_SHARE))
        bounds = [batch * worker // num_workers for worker in range(num_workers + 1)]
        mine, *others = itertools.pairwise(bounds)
        if not others:
            work(*mine)
        else:
            with ThreadPoolExecutor(len(others)) as pool:
                pending = [pool.submit(work, *span) for span in others]
                work(*mine)
            for share in pending:
                share.result()
        return values.mT.contiguous().reshape(z.shape)


class _PackedLayer:
    """The arrays of one layer that the kernel reads."""

    def __init__(self, layer: Autoregressive) -> None:
        self.made = conditioner_of(layer)
        self.schedule = self.made.rank_schedule()
        self.scale_activation = layer.transform.log_scale_activation
        self.dtype = self.schedule.weights[0].dtype
        sizes = [weight.numel() for weight in self.schedule.weights]
        self.offsets = np.cumsum([0, *sizes[:-1]])
        self.weights = torch.cat([weight.flatten() for weight in self.schedule.weights]).numpy()
        self.ends = np.array(self.schedule.ends)
        self.features = self.schedule.feature_of_rank.numpy()

    def start(self, context: Tensor | None) -> np.ndarray:
        starts = self.schedule.starts(context)
        num_columns = next((start.shape[1] for start in starts if start.shape[1] != 1), 1)  # or 0 of them
        return torch.cat([start.expand(-1, num_columns) for start in starts]).numpy()

    def invert(self, values: np.ndarray, start: np.ndarray, first: int, last: int) -> None:
        known = np.empty((int(self.ends[:, -1].sum()), made_kernel.BLOCK), values.dtype)
        made_kernel.invert_masked_affine(
            values,
            start,
            self.weights,
            self.offsets,
            self.ends,
            self.features,
            _kind(self.made.activation),
            _kind(self.scale_activation),
            first,
            last,
            known,
            np.empty((2, made_kernel.BLOCK), values.dtype),
        )


def _kind(module: nn.Module) -> tuple[int, float]:
    kind, number = _ACTIVATIONS[type(module)](module)
    return kind, float(number)
