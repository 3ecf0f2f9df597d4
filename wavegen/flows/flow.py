"""A base density pushed through a bijection."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from wavegen.errors import UserError
from wavegen.flows.bijection import Bijection, Context


class Flow(nn.Module):
    """log p(x | context) = log p_base(f(x)) + log|det ∂f/∂x|.

    ``bijection`` is f: x → z (data to noise); for a model that generates in one pass hand over an
    ``.inv``. ``base`` is a module or callable that maps the context to a distribution over z.
    ``forward(context)`` binds the context once and returns a ``FlowDistribution``.

    Raises ``UserError`` when bijection and base disagree about the rank of an event.

    Rezende and Mohamed 2015 (arXiv 1505.05770); the review of Papamakarios et al. 2021 (1912.02762).
    """

    def __init__(self, *, bijection: Bijection, base: Callable[[Context], Distribution]) -> None:
        super().__init__()
        declared = getattr(base, "event_shape", None)
        if declared is not None and len(declared) < bijection.event_dim:
            raise UserError(
                f"Flow: expected a base with events of at least {bijection.event_dim} dimensions, as the "
                f"bijection's, got event shape {tuple(declared)}"
            )
        self.bijection = bijection
        self.base = base

    def forward(self, context: Context = None) -> "FlowDistribution":
        return FlowDistribution(self.bijection, self.base(context), context)


class FlowDistribution(Distribution):
    """The density of a flow at one context. The event is the base's; the batch is the context's, else the
    base's.

    Bijections always see exactly one batch dimension: sample and batch dimensions are folded into it, and the
    context (a tensor or a mapping of tensors, batch in dimension 0) is repeated for every draw.
    """

    arg_constraints: dict = {}
    has_rsample = True

    def __init__(self, bijection: Bijection, base: Distribution, context: Context = None) -> None:
        self.bijection = bijection
        self.base = base
        self.context = context
        batch_shape = base.batch_shape
        if context is not None:
            batch_shape = torch.broadcast_shapes(batch_shape, (context_size(context),))
        super().__init__(batch_shape, base.event_shape, validate_args=False)

    def _call(self, bijective: Callable, value: Tensor, event_rank: int) -> tuple[Tensor, Tensor]:
        lead, event = value.shape[: value.dim() - event_rank], value.shape[value.dim() - event_rank :]
        folded, context = fold_batch(value, event_rank, self.context)
        result, log_det = bijective(folded, context)
        extra = event_rank - self.bijection.event_dim
        if extra:
            log_det = log_det.flatten(-extra).sum(-1)
        return result.reshape(lead + event), log_det.reshape(lead)

    def log_prob(self, value: Tensor) -> Tensor:
        rank = len(self.event_shape)
        shape = torch.broadcast_shapes(value.shape[: value.dim() - rank], self.batch_shape)
        value = value.expand(shape + value.shape[value.dim() - rank :])
        z, log_det = self._call(self.bijection.forward, value, rank)
        return self.base.log_prob(z) + log_det

    def rsample_and_log_prob(
        self,
        sample_shape: torch.Size = torch.Size(),  # noqa: B008
    ) -> tuple[Tensor, Tensor]:
        """Draws x = g(z) and their log-densities log p_base(z) − log|det ∂g/∂z|, from one pass of g."""
        sample_shape = torch.Size(sample_shape)
        missing = self.batch_shape[: len(self.batch_shape) - len(self.base.batch_shape)]
        z = self.base.rsample(sample_shape + missing)
        x, log_det = self._call(self.bijection.inverse, z, len(self.event_shape))
        return x, self.base.log_prob(z) - log_det

    def rsample(self, sample_shape: torch.Size = torch.Size()) -> Tensor:  # noqa: B008
        return self.rsample_and_log_prob(sample_shape)[0]

    def sample(self, sample_shape: torch.Size = torch.Size()) -> Tensor:  # noqa: B008
        with torch.no_grad():
            return self.rsample(sample_shape)


def context_size(context: Tensor | Mapping[str, Tensor]) -> int:
    """The batch size of a context. Raises ``UserError`` when its tensors disagree."""
    named = context if isinstance(context, Mapping) else {"context": context}
    sizes = {name: tensor.shape[0] for name, tensor in named.items()}
    if len(set(sizes.values())) != 1:
        raise UserError(f"context: expected one batch size in dimension 0 of every tensor, got {sizes}")
    return next(iter(sizes.values()))


def fold_batch(value: Tensor, event_rank: int, context: Context) -> tuple[Tensor, Context]:
    """Flattens the dimensions before the event into one, the batch fastest, and repeats the context."""
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
