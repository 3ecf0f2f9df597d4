"""Generates from masked autoregressive flows with the work of one masked pass, not of one per element."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeGuard

import torch
from torch import Tensor, nn

from wavegen.compiled.engine_cache import EngineCache
from wavegen.distributions.batches import Context
from wavegen.flows.autoregressive import Autoregressive
from wavegen.flows.bijection import Inverse, Transform
from wavegen.flows.compose import Chain, Compose
from wavegen.flows.masked.affine import MaskedAffineRun, why_not_compiled
from wavegen.flows.masked.ranked_layer import RankedLayer

LEAST_WORK = 4 * 10**9
"""Multiplications of all passes from which the generator is used: 0.1 to 0.7 s on one core.

Below it, the inverse takes less time than it takes to load the compiled code, or even to compile it.
"""

LEAST_ROWS = 256
"""Events from which a layer that is not compiled goes rank by rank; below, the calls of torch take longer."""

_Step = Callable[[Tensor, Context], Tensor]


class MaskedGenerator:
    """x = g(z) without log-determinant and gradients, for bijections with masked layers that are inverted.

    The inverse of a masked layer, x_i = τ⁻¹(z_i; c_i(x_<i)), is a loop over the D elements. With a full pass
    of the net for each element, it costs up to D passes. Here the net's units are sorted by the highest rank
    that they depend on, and each is computed once: O(weights) per draw and layer instead of O(D · weights).

    Affine layers (identity or ``BoundedLogScale`` for the log-scale; a net with ReLU, leaky ReLU, ELU, SiLU,
    tanh or sigmoid) run compiled, on as many threads as torch has. The first use on a machine compiles for
    some seconds. Any other τ runs rank by rank in PyTorch. All other layers use their own inverse.

    ``generator(bijection, z, context)`` is None where ``bijection.inverse`` has to be used: no such layer,
    less work than ``least_work`` (size of z times the nets' weights), a device other than the CPU, half
    precision, autocast, mixed dtypes, weights or contexts that are not finite, and transforms of
    ``torch.func``. The rule depends on sizes and types alone, so equal calls give equal bits.

    Packed weights are cached and renewed when a weight or a module has changed. Copies and pickles of a
    generator are empty.

    Germain et al. 2015, MADE (arXiv 1502.03509); Papamakarios et al. 2017, MAF (1705.07057).
    """

    def __init__(self, least_work: float = LEAST_WORK) -> None:
        self.least_work = least_work
        self._packed: tuple[tuple[nn.Module, ...], EngineCache[list[_Step] | None]] | None = None

    def __reduce__(self) -> tuple:
        return type(self), (self.least_work,)

    def __call__(self, bijection: Transform, z: Tensor, context: Context) -> Tensor | None:
        layers = list(_layers(bijection))
        weights = sum(_num_weights(module) for module, backwards in layers if _is_ranked(module, backwards))
        if weights == 0 or weights * z.numel() < self.least_work or not _is_readable(bijection, z, context):
            return None
        steps = self._cache_of(bijection).get()
        if steps is None:
            return None
        for step in steps:
            z = step(z, context)
        return z

    def _cache_of(self, bijection: Transform) -> EngineCache[list[_Step] | None]:
        modules = tuple(bijection.modules())
        packed = self._packed
        if packed is None or not _are_same(packed[0], modules):
            packed = modules, EngineCache(bijection, lambda: None, lambda: _pack(bijection))
            self._packed = packed
        return packed[1]


def _pack(bijection: Transform) -> list[_Step] | None:
    """The steps from z to x; None if a weight is not finite."""
    if not all(_is_finite(tensor) for tensor in (*bijection.parameters(), *bijection.buffers())):
        return None
    steps: list[_Step] = []
    run: list[Autoregressive] = []
    for module, backwards in _layers(bijection):
        if _is_ranked(module, backwards) and why_not_compiled(module) is None:
            run.append(module)
            continue
        if run:
            steps.append(MaskedAffineRun(run))
            run = []
        if _is_ranked(module, backwards):
            steps.append(_rank_by_rank(module))
        else:
            steps.append(_first_of(module, backwards))
    if run:
        steps.append(MaskedAffineRun(run))
    return steps


def _layers(transform: nn.Module, backwards: bool = False) -> Iterator[tuple[nn.Module, bool]]:
    """Layers in the order of generation, and whether each generates by ``forward`` (inside ``Inverse``)."""
    if type(transform) is Inverse:
        yield from _layers(transform.bijection, not backwards)
    elif type(transform) in (Compose, Chain):
        for member in transform.members if backwards else reversed(transform.members):
            yield from _layers(member, backwards)
    else:
        yield transform, backwards


def _is_ranked(module: nn.Module, backwards: bool) -> TypeGuard[Autoregressive]:
    if backwards or type(module) is not Autoregressive:
        return False
    return getattr(module.conditioner, "has_rank_schedule", False)


def _num_weights(module: Autoregressive) -> int:
    return sum(weight.numel() for weight in module.conditioner.parameters())


def _is_readable(bijection: Transform, z: Tensor, context: Context) -> bool:
    """Whether everything is an ordinary tensor on the CPU, of one dtype in which the inverse computes too."""
    if torch._C._are_functorch_transforms_active() or torch.compiler.is_compiling():
        return False
    if torch.is_autocast_enabled("cpu") or z.dtype not in (torch.float32, torch.float64):
        return False
    named = context if isinstance(context, Mapping) else {"context": context}
    given = [tensor for tensor in named.values() if tensor is not None]
    tensors = [z, *given, *bijection.parameters(), *bijection.buffers()]
    return (
        all(type(tensor) in (Tensor, nn.Parameter) and tensor.device.type == "cpu" for tensor in tensors)
        and all(tensor.dtype == z.dtype for tensor in tensors if tensor.is_floating_point())
        and all(_is_finite(tensor) for tensor in given)
    )


def _is_finite(tensor: Tensor) -> bool:
    return bool(tensor.isfinite().all())


def _are_same(first: tuple[nn.Module, ...], second: tuple[nn.Module, ...]) -> bool:
    return len(first) == len(second) and all(a is b for a, b in zip(first, second, strict=True))


def _rank_by_rank(layer: Autoregressive) -> _Step:
    ranked, own = RankedLayer(layer), _first_of(layer, False)
    return lambda z, context: (ranked if z.shape[:-1].numel() >= LEAST_ROWS else own)(z, context)


def _first_of(module: nn.Module, backwards: bool) -> _Step:
    direction = module.forward if backwards else module.inverse
    return lambda value, context: direction(value, context)[0]
