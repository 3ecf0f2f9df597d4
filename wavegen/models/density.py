"""What training, evaluation and report ask of a density: no more than this, so that it need not be a flow."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor
from torch.distributions import Distribution

from wavegen.distributions.batches import Context


@runtime_checkable
class DensityModel(Protocol):
    r"""log p(x | context) of images (whole levels as floats) or rows: ``forward(context) -> Distribution``.

    The distribution has ``log_prob(x)``, in nats, and ``sample(shape)``. A module that has this can be
    trained by ``wavegen flow``, measured and reported. It may offer more, method by method; what a model
    lacks is left out of its report:

    ==================================  =====================================================================
    ``is_bound``                        true where ``log_prob`` is a stochastic lower bound
    ``prior(context)``                  the distribution of its latents z
    ``latents(x, context)``             z of x
    ``decode(z, context)``              x of z
    ``reconstruct(x, context)``         what the model saw and what came back, two tensors of x's shape; of
                                        images in [0, 1], of rows as they are
    ``reconstruct_draws(z, context)``   the same, of what z is decoded to; of an exact inverse
    ``interpolate(first, last, weights, context, last_context)``  events between two, ``(weights, batch, …)``
    ==================================  =====================================================================

    A ``wavegen.flows.Flow`` offers all of them.
    """

    def forward(self, context: Context = None) -> Distribution: ...

    def __call__(self, context: Context = None) -> Distribution: ...


class FullDensity(DensityModel, Protocol):
    """A density that offers all there is."""

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
    """Whether the model has all of these methods.

    Example:
        >>> from wavegen.models.flows.maf import maf
        >>> offers(maf(features=2, num_flows=1, hidden=[4]), "latents", "decode")
        True
    """
    unknown = set(names) - set(OPTIONAL)
    if unknown:
        raise ValueError(f"no density offers {unknown}, expected some of {OPTIONAL}")
    return all(callable(getattr(model, name, None)) for name in names)
