"""Parameters of a layer: learned directly, or computed from the context by a net."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wavegen.distributions.agreement import in_half_precision
from wavegen.distributions.batches import Context
from wavegen.distributions.precision import at_least_float32
from wavegen.errors import UserError
from wavegen.flows.bijection import Bijection, require_rank


class FreeParameters(nn.Module):
    """Learned parameters, independent of the context: ``forward(context) -> (num_parameters,)``. They are
    initialised from a normal with standard deviation ``initial_std``.

    For amortisation, use instead any module whose ``forward(context)`` is ``(batch, num_parameters)``: every
    member of the batch then has its own bijection.
    """

    def __init__(self, num_parameters: int, *, initial_std: float = 0.1) -> None:
        super().__init__()
        if num_parameters < 1:
            raise UserError(f"FreeParameters: expected at least 1 parameter, got {num_parameters}")
        self.num_parameters = num_parameters
        self.table = nn.Parameter(initial_std * torch.randn(num_parameters))

    def forward(self, context: Context = None) -> Tensor:
        return self.table

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class ParametrisedBijection(Bijection):
    """A bijection of vectors of ``features`` whose ``num_parameters`` are computed from the context.

    ``_read(x, context)`` returns x and its parameters in a common dtype, at least float32. The parameters
    have shape ``(num_parameters,)``, or ``(batch, 1, …, num_parameters)`` to broadcast against x.

    Raises ``UserError`` if the events or the parameters have another size.
    """

    event_dim = 1

    def __init__(self, features: int, num_parameters: int, parameters: nn.Module | None) -> None:
        super().__init__()
        if features < 1:
            raise UserError(f"{type(self).__name__}: expected features of at least 1, got {features}")
        self.features = features
        self.num_parameters = num_parameters
        self.parameter_source = FreeParameters(num_parameters) if parameters is None else parameters
        offered = getattr(self.parameter_source, "num_parameters", num_parameters)
        if offered != num_parameters:
            raise UserError(
                f"{type(self).__name__}: expected a module of {num_parameters} parameters, got {offered}"
            )

    def _read(self, x: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        self.forward_shape(x.shape)
        parameters = self.parameter_source(in_half_precision(self.parameter_source, context))
        expected = ((self.num_parameters,), (*x.shape[:1], self.num_parameters))
        if parameters.shape not in expected or (parameters.dim() == 2 and x.dim() == 1):
            raise UserError(
                f"{type(self).__name__}: expected parameters of shape {expected[0]} or {expected[1]}, got "
                f"{tuple(parameters.shape)}"
            )
        if parameters.dim() == 2:
            parameters = parameters.reshape(x.shape[:1] + (1,) * (x.dim() - 2) + (self.num_parameters,))
        x, parameters = at_least_float32(x, parameters)
        return x, parameters

    def forward_shape(self, event_shape: Sequence[int]) -> torch.Size:
        require_rank(self, event_shape, 1)
        if event_shape[-1] != self.features:
            raise UserError(
                f"{type(self).__name__}: expected events of {self.features} features, got shape "
                f"{tuple(event_shape)}"
            )
        return torch.Size(event_shape)

    def inverse_shape(self, event_shape: Sequence[int]) -> torch.Size:
        return self.forward_shape(event_shape)

    def extra_repr(self) -> str:
        return f"features={self.features}"


SMALLEST_SLOPE = 1e-3
_SOFTPLUS_AT_ZERO = torch.expm1(torch.tensor(1 - SMALLEST_SLOPE, dtype=torch.float64)).log().item()


def positive_slope(raw: Tensor) -> Tensor:
    """A slope above ``SMALLEST_SLOPE``, increasing in ``raw`` and 1 at 0: a shifted softplus plus a minimum.

    The minimum limits how much one layer can compress. A softplus alone rounds to 0, where the map has no
    inverse.
    """
    return SMALLEST_SLOPE + F.softplus(raw + _SOFTPLUS_AT_ZERO, threshold=40.0)
