"""Coupling layers: one part of the event determines the monotone maps of the other part."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavegen.distributions.agreement import parameters_for, require_agreement
from wavegen.distributions.batches import Context, sum_last
from wavegen.errors import UserError
from wavegen.flows.bijection import Bijection


class Coupling(Bijection):
    """kept′ = kept, moved′ = τ(moved; c(kept, context)). log_det = Σ over moved of log|dτ/dx|.

    The Jacobian is block triangular with an identity block for ``kept``. Both directions take one pass of
    the conditioner c, which need not be invertible, and are in closed form if those of τ are.

    ``split`` divides the event and sets its rank (``Split``). ``transform`` is a τ (``num_parameters``,
    ``forward(x, parameters)``, ``inverse(z, parameters)``). ``conditioner`` maps ``(kept, context)`` to
    parameters of shape ``moved.shape + (num_parameters,)``. If it has an attribute ``in_features`` (number
    of features or channels), kept parts of another size raise an error as soon as shapes are computed.
    Alternate ``split`` and ``split.swapped``, so that every element is transformed.

    Raises ``UserError`` if τ has no parameters, if τ and conditioner have different numbers of parameters,
    if the conditioner takes or returns another shape, or if the event cannot be split.

    Dinh et al. 2015, NICE (arXiv 1410.8516); Dinh et al. 2017, RealNVP (1605.08803); Durkan et al. 2019,
    neural spline flows (1906.04032).
    """

    def __init__(self, *, split: nn.Module, transform: nn.Module, conditioner: nn.Module) -> None:
        super().__init__()
        require_agreement(self, transform, conditioner)
        self.split = split
        self.transform = transform
        self.conditioner = conditioner
        self.event_dim = split.event_dim

    def _require_kept(self, shape: Sequence[int]) -> None:
        wanted = getattr(self.conditioner, "in_features", None)
        if wanted is not None and shape[-self.event_dim] != wanted:
            raise UserError(
                f"Coupling: expected {wanted} features or channels kept for "
                f"{type(self.conditioner).__name__}, got shape {tuple(shape)}"
            )

    def _parameters_of(self, kept: Tensor, moved: Tensor, context: Context) -> Tensor:
        self._require_kept(kept.shape)
        num = self.transform.num_parameters
        return parameters_for(self, self.conditioner, kept, moved.shape, num, context, self.event_dim)

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        kept, moved = self.split(x)
        moved, log_derivative = self.transform(moved, self._parameters_of(kept, moved, context))
        return self.split.merge(kept, moved), sum_last(log_derivative, self.event_dim)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        kept, moved = self.split(z)
        moved, log_derivative = self.transform.inverse(moved, self._parameters_of(kept, moved, context))
        return self.split.merge(kept, moved), sum_last(log_derivative, self.event_dim)

    def forward_shape(self, event_shape: Sequence[int]) -> torch.Size:
        kept, _ = self.split.shapes(event_shape)
        self._require_kept(kept)
        return torch.Size(event_shape)

    inverse_shape = forward_shape
