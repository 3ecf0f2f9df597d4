"""The methods that training, evaluation and reports call on a density model, which need not be a flow."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor
from torch.distributions import Distribution

from wavegen.distributions.batches import Context


@runtime_checkable
class DensityModel(Protocol):
    r"""A density p(x | context) of images or table rows: ``forward(context) -> Distribution``.

    The distribution has ``log_prob(x)`` in nats, one number for each event, and ``sample(shape)``. Images are
    whole pixel levels as floats. A module with this method can be trained by ``wavegen flow``, measured and
    reported. All other methods are optional; the report leaves out whatever depends on a missing one:

    ==================================  =====================================================================
    ``is_bound``                        true where ``log_prob`` is a stochastic lower bound
    ``prior(context)``                  the distribution of the latents z
    ``latents(x, context)``             x to z
    ``decode(z, context)``              z to x
    ``reconstruct(x, context)``         the model's input and its reconstruction, two tensors of x's shape;
                                        images scaled to [0, 1], rows unscaled
    ``reconstruct_draws(z, context)``   the same pair for x = decode(z); needs an exact inverse
    ``interpolate(first, last, weights, context, last_context)``  interpolated events, ``(weights, batch, …)``
    ==================================  =====================================================================

    A ``wavegen.flows.Flow`` offers all of them.
    """

    def forward(self, context: Context = None) -> Distribution: ...

    def __call__(self, context: Context = None) -> Distribution: ...


class FullDensity(DensityModel, Protocol):
    """A density model with all optional methods."""

    def prior(self, context: Context = None) -> Distribution: ...

    def latents(self, x: Tensor, context: Context = None) -> Tensor: ...

    def decode(self, z: Tensor, context: Context = None) -> Tensor: ...

    def reconstruct(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]: ...

    def reconstruct_draws(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]: ...

    def interpolate(
        self,
        first: Tensor,
        last: Tensor,
        weights: Sequence[float],
        context: Context = None,
        last_context: Context = None,
    ) -> Tensor: ...


OPTIONAL = ("prior", "latents", "decode", "reconstruct", "reconstruct_draws", "interpolate")


def offers(model: DensityModel, *names: str) -> bool:
    """Returns True if the model has all the named methods, which must be names in ``OPTIONAL``.

    Example:
        >>> from wavegen.models.flows.maf import maf
        >>> offers(maf(features=2, num_flows=1, hidden=[4]), "latents", "decode")
        True
    """
    unknown = set(names) - set(OPTIONAL)
    if unknown:
        raise ValueError(f"unknown methods {unknown}, expected some of {OPTIONAL}")
    return all(callable(getattr(model, name, None)) for name in names)
