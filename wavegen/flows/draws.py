"""A sample and its log-density from a distribution conditioned on part of the data."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from wavegen.distributions.batches import Context, fold_batch
from wavegen.errors import UserError

Reader = Callable[[Tensor, Context], Context]
"""Makes the condition of a layer's distribution from a value of the layer and the context of the flow."""


def value_alone(value: Tensor, context: Context) -> Tensor:
    """The condition is the value; the distribution does not depend on the context."""
    return value


def with_context(value: Tensor, context: Context) -> dict[str, Tensor]:
    """The condition is a mapping: the value under ``value``, and the context under ``context``, or under its
    own names if it is a mapping. For example ``maf(context_features={"value": 3, "context": 5}, …)``.

    Raises ``UserError`` if there is no context, or if it has a tensor named ``value``.
    """
    if context is None:
        raise UserError("with_context: expected a context, got None")
    named = dict(context) if isinstance(context, Mapping) else {"context": context}
    if "value" in named:
        raise UserError("with_context: expected a context without the name 'value', which is the layer's own")
    return {"value": value, **named}


class ConditionalDraw:
    """q(· | condition), for conditions of any batch shape; conditions and samples have the same event rank.

    ``model`` is a module or callable that maps a condition with exactly one batch dimension to a
    distribution of batch shape ``(batch,)``, or ``()`` if it ignores the condition. ``reader`` makes that
    condition from ``value``, whose batch is flattened, and from the context, which is repeated for it.
    ``owner`` is the name of the layer in error messages.

    Raises ``UserError`` if the batch or event shape of the model differs.
    """

    def __init__(
        self,
        model: Callable[[Any], Distribution],
        value: Tensor,
        event_shape: Sequence[int],
        *,
        owner: str,
        context: Context = None,
        reader: Reader = value_alone,
    ) -> None:
        rank = len(event_shape)
        self.lead = value.shape[: value.dim() - rank]
        self.event_shape = torch.Size(event_shape)
        folded, context = fold_batch(value, rank, None if reader is value_alone else context)
        self.distribution = model(reader(folded, context))
        got = self.distribution.batch_shape, self.distribution.event_shape
        if got[0] not in (folded.shape[:1], torch.Size()) or got[1] != self.event_shape:
            raise UserError(
                f"{owner}: expected a model of events of shape {tuple(self.event_shape)} in a batch of "
                f"{folded.shape[0]}, got events of {tuple(got[1])} in a batch of shape {tuple(got[0])}"
            )
        self._missing = folded.shape[:1] if not got[0] else torch.Size()

    def draw(self) -> tuple[Tensor, Tensor]:
        """One reparametrised sample and its log-density; a flow computes both in one pass."""
        joint = getattr(self.distribution, "rsample_and_log_prob", None)
        if joint is not None:
            value, log_prob = joint(self._missing)
        else:
            value = self.distribution.rsample(self._missing)
            log_prob = self.distribution.log_prob(value)
        return value.reshape(self.lead + self.event_shape), log_prob.reshape(self.lead)

    def log_prob(self, value: Tensor) -> Tensor:
        folded, _ = fold_batch(value, len(self.event_shape), None)
        return self.distribution.log_prob(folded).reshape(self.lead)
