"""Batch dimensions of densities and maps: folding, broadcasting, and the batch size of a context."""

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from wavegen.errors import UserError

Context = Tensor | Mapping[str, Tensor] | None
"""The conditioning of a density or map: a tensor, a mapping of tensors (batch in dimension 0), or None."""

ContextRank = int | Mapping[str, int] | None
"""Trailing dimensions of one context, for each tensor of a mapping; None: the batch is dimension 0 alone."""


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


def context_batch(context: Context, rank: ContextRank = None) -> torch.Size:
    """The batch shape of a context: its dimensions before the last ``rank``, those of all tensors broadcast.

    Without a context it is (). Raises ``UserError`` as ``context_size`` does, or if a tensor has fewer
    dimensions than ``rank``.
    """
    if context is None:
        return torch.Size()
    if rank is None:
        return torch.Size((context_size(context),))
    batch = torch.Size()
    for name, tensor, own_rank in _ranked(context, rank):
        if tensor.dim() < own_rank:
            raise UserError(
                f"context: expected at least {own_rank} dimensions for {name}, got shape "
                f"{tuple(tensor.shape)}"
            )
        batch = join_batches(tensor.shape[: tensor.dim() - own_rank], batch)
    return batch


def fold_context(context: Context, batch_shape: Sequence[int], rank: ContextRank = None) -> Context:
    """The context for a batch of that shape in row-major order, with exactly one batch dimension."""
    if context is None or rank is None:
        return context

    def folded(tensor: Tensor, own_rank: int) -> Tensor:
        event_shape = tensor.shape[tensor.dim() - own_rank :]
        return tensor.expand(*batch_shape, *event_shape).reshape(math.prod(batch_shape), *event_shape)

    result = {name: folded(tensor, own_rank) for name, tensor, own_rank in _ranked(context, rank)}
    return result if isinstance(context, Mapping) else result["context"]


def _ranked(
    context: Tensor | Mapping[str, Tensor], rank: int | Mapping[str, int]
) -> Iterator[tuple[str, Tensor, int]]:
    """Name, tensor and rank of every tensor of a context."""
    for name, tensor in (context if isinstance(context, Mapping) else {"context": context}).items():
        if not isinstance(tensor, Tensor):
            raise UserError(f"context: expected tensors, got {type(tensor).__name__} for {name}")
        if isinstance(rank, Mapping) and name not in rank:
            raise UserError(f"context: expected {sorted(rank)}, got {name!r}")
        yield name, tensor, rank[name] if isinstance(rank, Mapping) else rank


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
    lead = value.shape[: value.dim() - event_rank]
    folded = value.reshape((math.prod(lead),) + value.shape[len(lead) :])
    if context is None:
        return folded, None
    size = context_size(context)
    if folded.shape[0] % size if size else folded.shape[0]:
        raise UserError(f"context: expected a batch that divides {folded.shape[0]} values, got {size}")
    repeats = folded.shape[0] // size if size else 1

    def repeat(tensor: Tensor) -> Tensor:
        return tensor.repeat((repeats,) + (1,) * (tensor.dim() - 1)) if repeats != 1 else tensor

    if isinstance(context, Mapping):
        return folded, {name: repeat(tensor) for name, tensor in context.items()}
    return folded, repeat(context)
