"""Batch dimensions of densities and maps: folding, broadcasting, and the batch size of a context."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from wavegen.errors import UserError

Context = Tensor | Mapping[str, Tensor] | None
"""The conditioning of a density or map: a tensor, a mapping of tensors (batch in dimension 0), or None."""


def sum_last(value: Tensor, num_dims: int) -> Tensor:
    """Sums the last ``num_dims`` dimensions; for 0 it sums none (``Tensor.sum(())`` would sum all)."""
    return value.flatten(-num_dims).sum(-1) if num_dims > 0 else value


def context_size(context: Tensor | Mapping[str, Tensor]) -> int:
    """The batch size of a context. Raises ``UserError`` if its tensors disagree or are not tensors."""
    named = context if isinstance(context, Mapping) else {"context": context}
    for name, tensor in named.items():
        if not isinstance(tensor, Tensor) or tensor.dim() == 0:
            got = f"shape {tuple(tensor.shape)}" if isinstance(tensor, Tensor) else type(tensor).__name__
            raise UserError(f"context: expected tensors with the batch in dimension 0, got {got} for {name}")
    sizes = {name: tensor.shape[0] for name, tensor in named.items()}
    if len(set(sizes.values())) != 1:
        raise UserError(f"context: expected one batch size in dimension 0 of every tensor, got {sizes}")
    return next(iter(sizes.values()))


def join_batches(given: Sequence[int], batch_shape: Sequence[int]) -> torch.Size:
    """The shape to which both broadcast. Raises ``UserError`` if they do not."""
    for size, expected in zip(reversed(given), reversed(batch_shape), strict=False):
        if size != expected and 1 not in (size, expected):
            raise UserError(
                f"batch: expected a shape that broadcasts against the distribution's batch shape "
                f"{tuple(batch_shape)} (that of its context, else of its base), got {tuple(given)}"
            )
    return torch.broadcast_shapes(given, batch_shape)


def fold_batch(value: Tensor, event_rank: int, context: Context) -> tuple[Tensor, Context]:
    """Flattens all dimensions before the event into one, batch index fastest, and repeats the context."""
    folded = value.reshape((-1,) + value.shape[value.dim() - event_rank :])
    if context is None:
        return folded, None
    size = context_size(context)
    if folded.shape[0] % size:
        raise UserError(f"context: expected a batch that divides {folded.shape[0]} values, got {size}")
    repeats = folded.shape[0] // size

    def repeat(tensor: Tensor) -> Tensor:
        return tensor.repeat((repeats,) + (1,) * (tensor.dim() - 1)) if repeats != 1 else tensor

    if isinstance(context, Mapping):
        return folded, {name: repeat(tensor) for name, tensor in context.items()}
    return folded, repeat(context)
