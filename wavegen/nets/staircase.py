"""Products with matrices whose zeros form a staircase: blocks of zeros are skipped."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

LEAST_ROWS = 128  # per block: smaller products run at a lower rate, which costs more than they save
MOST_BLOCKS = 8
LEAST_SAVING = 2**16  # skipped weights; below this number the overhead of the extra calls exceeds the saving


@dataclass(frozen=True)
class Staircase:
    """The nonzero spans of a mask: the columns of each block of rows, and the rows of each block of columns.

    Spans are ``(begin, end, first, last)``: rows (columns) ``begin … end − 1`` use ``first … last − 1``.
    """

    rows: tuple[tuple[int, int, int, int], ...]
    columns: tuple[tuple[int, int, int, int], ...]

    @classmethod
    def of(cls, mask: Tensor) -> "Staircase | None":
        """The blocks of a mask ``(outputs, inputs)``, or None if skipping blocks would not save time."""
        rows = _spans(mask)
        kept = sum((end - begin) * (last - first) for begin, end, first, last in rows)
        return cls(rows, _spans(mask.mT)) if mask.numel() - kept >= LEAST_SAVING else None


def _spans(mask: Tensor) -> tuple[tuple[int, int, int, int], ...]:
    size = max(LEAST_ROWS, -(-len(mask) // MOST_BLOCKS))
    spans = []
    for begin in range(0, len(mask), size):
        end = min(begin + size, len(mask))
        seen = mask[begin:end].any(0).nonzero().flatten().tolist()
        spans.append((begin, end, seen[0], seen[-1] + 1) if seen else (begin, end, 0, 0))
    return tuple(spans)


class StaircaseProduct(torch.autograd.Function):
    """x Wᵀ + b for a W that is zero outside ``staircase``; the gradient of W is computed only inside it.

    ``StaircaseProduct.apply(x, weight, bias, staircase)``; shapes ``(…, inputs)``, ``(outputs, inputs)``,
    ``(outputs,)``, result ``(…, outputs)``. For a triangle in eight blocks, 9/16 of the work
    O(outputs · inputs) of each of the three products remains. Second derivatives and ``torch.func`` use dense
    products.
    """

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor, staircase: Staircase) -> Tensor:
        flat = x.reshape(-1, x.shape[-1])
        result = flat.new_empty(len(flat), len(weight))
        for begin, end, first, last in staircase.rows:
            torch.mm(flat[:, first:last], weight[begin:end, first:last].mT, out=result[:, begin:end])
        return result.add_(bias).view(*x.shape[:-1], len(weight))

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: Tensor) -> None:
        x, weight, _, ctx.staircase = inputs
        ctx.save_for_backward(x, weight)
        ctx.save_for_forward(x, weight)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        flat, above = x.reshape(-1, x.shape[-1]), gradient.reshape(-1, gradient.shape[-1])
        wants_x, wants_weight, wants_bias, _ = ctx.needs_input_grad
        of_x = of_weight = None
        if torch.is_grad_enabled():  # this gradient will itself be differentiated
            of_x = gradient @ weight if wants_x else None
            of_weight = above.mT @ flat if wants_weight else None
        else:
            if wants_x:
                of_x = torch.empty_like(flat)
                for begin, end, first, last in ctx.staircase.columns:
                    torch.mm(above[:, first:last], weight[first:last, begin:end], out=of_x[:, begin:end])
                of_x = of_x.view(x.shape)
            if wants_weight:
                of_weight = torch.zeros_like(weight)
                for begin, end, first, last in ctx.staircase.rows:
                    block = of_weight[begin:end, first:last]
                    torch.mm(above[:, begin:end].mT, flat[:, first:last], out=block)
        return of_x, of_weight, above.sum(0) if wants_bias else None, None

    @staticmethod
    def jvp(ctx, x: Tensor | None, weight: Tensor | None, bias: Tensor | None, _: None) -> Tensor:
        saved_x, saved_weight = ctx.saved_tensors
        tangent = cast(Tensor, 0)  # one of the three is there
        for part in (
            None if x is None else x @ saved_weight.mT,
            None if weight is None else saved_x @ weight.mT,
            None if bias is None else bias.expand(*saved_x.shape[:-1], -1),
        ):
            tangent = tangent if part is None else tangent + part
        return tangent

    @staticmethod
    def vmap(info, in_dims: tuple, x: Tensor, weight: Tensor, bias: Tensor, staircase: Staircase) -> tuple:
        x = x.expand(info.batch_size, *x.shape) if in_dims[0] is None else x.movedim(in_dims[0], 0)
        if in_dims[1] is None and in_dims[2] is None:
            return StaircaseProduct.apply(x, weight, bias, staircase), 0
        weight = weight if in_dims[1] is None else weight.movedim(in_dims[1], 0)
        bias = bias if in_dims[2] is None else bias.movedim(in_dims[2], 0)
        flat = x.reshape(info.batch_size, -1, x.shape[-1])
        bias = bias.unsqueeze(1) if bias.dim() == 2 else bias
        result = flat @ weight.mT + bias
        return result.view(*x.shape[:-1], -1), 0
