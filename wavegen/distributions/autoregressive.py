"""Autoregressive distributions: a head on a causal conditioner gives exact probabilities of sequences."""

import math
from collections.abc import Sequence
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.types import _size

from wavegen.distributions.agreement import parameters_for, require_agreement
from wavegen.distributions.batches import Context, context_size, fold_batch, join_batches, sum_last
from wavegen.distributions.fixed_point import solve_triangular
from wavegen.errors import UserError


class AutoregressiveModel(nn.Module):
    """p(x | context) = Π_t p(x_t | x_<t, context); the head builds each factor from the conditioner's output.

    ``conditioner`` maps ``(x, context)`` to ``x.shape + (head.num_parameters,)`` and is strictly causal;
    ``head`` maps that to a distribution of batch shape ``x.shape``. ``event_shape`` is only needed to
    sample without lengths (images, vectors).

    Raises ``UserError`` if head and conditioner have different numbers of parameters.
    """

    def __init__(
        self, *, conditioner: nn.Module, head: nn.Module, event_shape: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        require_agreement(self, head, conditioner)
        self.conditioner = conditioner
        self.head = head
        self.event_shape = None if event_shape is None else torch.Size(event_shape)

    def conditionals(self, x: Tensor, context: Context = None) -> Distribution:
        """p(x_t | x_<t, context) for every t in one pass: a distribution of batch shape ``x.shape``."""
        num = self.head.num_parameters
        return self.head(parameters_for(self, self.conditioner, x, x.shape, num, context))

    def forward(self, context: Context = None, lengths: Tensor | None = None) -> "AutoregressiveDistribution":
        return AutoregressiveDistribution(self, context, lengths)


class _DrawnByInversion(Protocol):
    """The distributions of heads, which are sampled by inversion."""

    def sample_from_uniforms(
        self, u_component: Tensor, u_value: Tensor | None, temperature: float = 1.0
    ) -> Tensor: ...


class AutoregressiveDistribution(Distribution):
    """The distribution of an ``AutoregressiveModel`` for one context.

    ``lengths`` ``(batch,)`` int64 gives the number of valid elements of each member along the last
    dimension. ``log_prob`` sums over valid elements only, and samples are zero after them. Without lengths
    all elements are valid. The batch shape is that of context or lengths, else (). If neither lengths nor
    the model give the event size, the event shape is (−1,) and ``log_prob`` takes sequences of any length.
    """

    arg_constraints: dict = {}

    def __init__(
        self, model: AutoregressiveModel, context: Context = None, lengths: Tensor | None = None
    ) -> None:
        self.model = model
        self.context = context
        self.lengths = lengths
        if model.event_shape is not None:
            event_shape = model.event_shape
        else:
            event_shape = torch.Size((-1 if lengths is None else int(lengths.max()),))
        batch_shape = torch.Size() if context is None else torch.Size((context_size(context),))
        if lengths is not None:
            if context is not None and lengths.shape != batch_shape:
                raise UserError(f"lengths: expected shape {tuple(batch_shape)}, got {tuple(lengths.shape)}")
            batch_shape = lengths.shape
        super().__init__(batch_shape, event_shape, validate_args=False)

    def conditionals(self, x: Tensor) -> Distribution:
        """p(x_t | x_<t) for every element of ``x``, whose shape is ``(batch,) + event``."""
        return self.model.conditionals(x, self.context)

    def _valid(self, num_steps: int) -> Tensor | None:
        if self.lengths is None:
            return None
        steps = torch.arange(num_steps, device=self.lengths.device)
        valid = steps < self.lengths.unsqueeze(-1)
        return valid.reshape(self.batch_shape + (1,) * (len(self.event_shape) - 1) + (num_steps,))

    def log_prob(self, value: Tensor) -> Tensor:
        rank = len(self.event_shape)
        event = value.shape[value.dim() - rank :]
        lead = join_batches(value.shape[: value.dim() - rank], self.batch_shape)
        folded, context = fold_batch(value.expand(lead + event), rank, self.context)
        log_prob = self.model.conditionals(folded, context).log_prob(folded).reshape(lead + event)
        valid = self._valid(event[-1])
        if valid is not None:
            log_prob = torch.where(valid, log_prob, torch.zeros_like(log_prob))
        return sum_last(log_prob, rank)

    @torch.no_grad()
    def sample(
        self,
        sample_shape: _size = torch.Size(),  # noqa: B008
        temperature: float = 1.0,
    ) -> Tensor:
        """Samples of shape ``sample_shape + batch_shape + event_shape``; exact, but slow for long sequences.

        The uniforms for every element are drawn first. A sample is the fixed point of "condition on the
        current x, compute every element from its own uniforms". Passes over the whole event find it, at
        most one per element; the result equals sampling one element after another. The engines with a cache
        are in other packages.
        """
        if any(size < 0 for size in self.event_shape):
            raise UserError(
                "AutoregressiveDistribution.sample: expected lengths or an event_shape, got neither"
            )
        shape = self._extended_shape(sample_shape)
        reference = next(self.model.parameters(), torch.zeros(()))
        uniforms = torch.rand((2, *shape), dtype=reference.dtype, device=reference.device)
        rank = len(self.event_shape)
        u_component, context = fold_batch(uniforms[0], rank, self.context)
        u_value, _ = fold_batch(uniforms[1], rank, None)

        def draw(x: Tensor) -> Tensor:
            conditionals = cast(_DrawnByInversion, self.model.conditionals(x, context))
            return conditionals.sample_from_uniforms(u_component, u_value, temperature).to(x.dtype)

        x = solve_triangular(draw, torch.zeros_like(u_value), math.prod(self.event_shape)).reshape(shape)
        valid = self._valid(shape[-1])
        return x if valid is None else torch.where(valid, x, torch.zeros_like(x))
