"""The sampler of masked autoregressive flows, which needs one masked pass instead of one per element."""

import logging
from collections.abc import Callable, Iterator
from typing import TypeGuard

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context, fold_batch
from wavegen.engines.engine_cache import EngineCache
from wavegen.engines.masked.affine import MaskedAffineRun, why_not_compiled
from wavegen.engines.masked.rank_schedule import RankedLayer
from wavegen.errors import UserError
from wavegen.flows.autoregressive import Autoregressive
from wavegen.flows.bijection import Inverse
from wavegen.flows.compose import Chain, Compose
from wavegen.flows.flow import Flow, FlowDistribution
from wavegen.nets.made import MADE

log = logging.getLogger(__name__)

_Step = Callable[[Tensor, Context], Tensor]


class MaskedFlowSampler:
    """Draws from a flow whose layers are ``Autoregressive(transform=…, conditioner=MADE(…))``.

    The inverse of a masked layer, x_i = τ⁻¹(z_i; c_i(x_<i)), is a loop over the D elements. With a full pass
    of the net for each element, it costs D passes. Here the net's units are sorted by the highest rank that
    they depend on, and each is computed once: O(weights) per draw and layer instead of O(D · weights).

    Affine layers on the CPU in float32 or float64 (identity or ``BoundedLogScale`` for the log-scale; a net
    with ReLU, leaky ReLU, ELU, SiLU, tanh or sigmoid) run compiled, on as many threads as torch has; the
    first call on a machine compiles for some seconds. Any other τ runs rank by rank in PyTorch. An
    autoregressive layer with another conditioner uses its own inverse. One warning names the layers that do
    not run compiled. All other layers (normalisations, permutations, ``.inv``) use their own inverse. Draws
    equal those of the flow's own inverse up to rounding.

    Computes no gradients. Packed weights are cached and renewed when a parameter has changed.

    Raises ``UserError`` if a parameter or buffer contains NaN.

    Germain et al. 2015, MADE (arXiv 1502.03509); Papamakarios et al. 2017, MAF (1705.07057).
    """

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self._layers = list(_layers(flow.bijection, "bijection"))
        self._cache = EngineCache(flow, lambda: None, self._pack)
        self._cache.get()
        slow = [
            f"{name} ({reason})"
            for name, module, backwards in self._layers
            if not backwards and (reason := _why_slow(module))
        ]
        if slow:
            log.warning("sampled without the compiled kernel: %s", "; ".join(slow))

    @torch.no_grad()
    def sample(
        self,
        sample_shape: torch.Size | tuple[int, ...] = torch.Size(),  # noqa: B008
        context: Context = None,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draws g(temperature · z), shape ``sample_shape + batch + event``; the context gives the batch.

        Args:
            sample_shape: shape of the draws for each member of the batch.
            context: what the flow is conditioned on, as for the flow itself.
            temperature: scales the base's noise; must be 1 unless the base's mean is 0.
            generator: source of the seed of the base's noise; None uses torch's own state.

        Raises:
            UserError: if a weight is NaN, the context does not fit the flow, or the temperature is not 1 and
                the base's mean is not 0.
        """
        density = self.flow(context)
        z = _noise(density, torch.Size(sample_shape), generator)
        if temperature != 1:
            if density.base.mean.count_nonzero():
                raise UserError(
                    f"sample: expected temperature 1 over a base whose mean is not 0, got {temperature}"
                )
            z = temperature * z
        return self.generate(z, context)

    @torch.no_grad()
    def generate(self, z: Tensor, context: Context = None) -> Tensor:
        """x = g(z), without its log-determinant, for z of shape ``… + batch + base event``.

        Raises:
            UserError: if a weight is NaN, or the context does not fit the flow.
        """
        steps = self._cache.get()
        density = self.flow(context)
        rank = len(density.base.event_shape)
        lead = z.shape[: z.dim() - rank]
        value, context = fold_batch(z, rank, density.context)
        for step in steps:
            value = step(value, context)
        return value.reshape(lead + density.event_shape)

    def _pack(self) -> list[_Step]:
        for name, tensor in (*self.flow.named_parameters(), *self.flow.named_buffers()):
            if tensor.isnan().any():
                raise UserError(f"MaskedFlowSampler: weights must not be NaN, got NaN in {name}")
        steps: list[_Step] = []
        run: list[Autoregressive] = []
        for _, module, backwards in self._layers:
            if not backwards and _is_masked(module) and why_not_compiled(module) is None:
                run.append(module)
                continue
            if run:
                steps.append(MaskedAffineRun(run))
                run = []
            if not backwards and _is_masked(module):
                steps.append(RankedLayer(module))
            else:
                steps.append(_first_of(module.forward if backwards else module.inverse))
        if run:
            steps.append(MaskedAffineRun(run))
        return steps


def has_masked_layers(flow: object) -> TypeGuard[Flow]:
    """Whether the flow has a masked layer whose inverse, element by element, is needed for sampling."""
    return isinstance(flow, Flow) and any(
        not backwards and _is_masked(module) for _, module, backwards in _layers(flow.bijection, "bijection")
    )


def _noise(density: FlowDistribution, sample_shape: torch.Size, generator: torch.Generator | None) -> Tensor:
    """Draws of the base for every member of the batch; with a generator, torch's own is seeded from it."""
    added = len(density.batch_shape) - len(density.base.batch_shape)
    shape = sample_shape + density.batch_shape[:added]
    if generator is None:
        return density.base.rsample(shape)
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return density.base.rsample(shape)


def _layers(
    transform: nn.Module, name: str, backwards: bool = False
) -> Iterator[tuple[str, nn.Module, bool]]:
    """Name and module of every layer in the order of generation, and whether it generates by ``forward``
    (inside an ``Inverse``)."""
    if type(transform) is Inverse:
        yield from _layers(transform.bijection, f"{name}.bijection", not backwards)
    elif type(transform) in (Compose, Chain):
        members = [(f"{name}.members.{index}", member) for index, member in enumerate(transform.members)]
        for member_name, member in members if backwards else reversed(members):
            yield from _layers(member, member_name, backwards)
    else:
        yield name, transform, backwards


def _is_masked(module: nn.Module) -> TypeGuard[Autoregressive]:
    return type(module) is Autoregressive and type(module.conditioner) is MADE


def _why_slow(module: nn.Module) -> str | None:
    """Why an autoregressive layer that has to be inverted does not run compiled; None for all others."""
    if _is_masked(module):
        reason = why_not_compiled(module)
        return reason and f"rank by rank in PyTorch, because {reason}"
    if isinstance(module, Autoregressive):
        return f"by its own inverse, because its conditioner is {type(module.conditioner).__name__}, not MADE"
    return None


def _first_of(direction: Callable[[Tensor, Context], tuple[Tensor, Tensor]]) -> _Step:
    return lambda value, context: direction(value, context)[0]
