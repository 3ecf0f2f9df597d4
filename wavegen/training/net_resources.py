"""Memory and speed of WaveNets in training: recomputed activations, ``torch.compile``. Results are equal."""

import logging
from collections.abc import Iterable

import torch
from torch import nn

from wavegen.errors import UserError
from wavegen.nets.wavenet import WaveNet

log = logging.getLogger(__name__)


def arrange_nets(models: Iterable[nn.Module], *, checkpoint_layers: int = 0, compile: bool = False) -> None:
    """Set up every WaveNet of the models for training.

    Args:
        checkpoint_layers: layers per group of gradient checkpointing. A group stores only its input and
            recomputes its activations in the backward pass; 0 stores all. The square root of the number of
            layers needs the least memory. Costs about a third of a training step.
        compile: trace the nets with ``torch.compile``. Needs a C++ compiler on a CPU, Triton on a GPU. If it
            is missing, a warning is logged and training continues without. For GPUs: on a CPU the plain
            layers are faster than the compiled ones, which also take minutes to compile.

    Raises:
        UserError: if ``checkpoint_layers`` is not a whole number of at least 0.
    """
    if isinstance(checkpoint_layers, bool) or not isinstance(checkpoint_layers, int) or checkpoint_layers < 0:
        raise UserError(f"checkpoint_layers must be a whole number of layers or 0, got {checkpoint_layers!r}")
    nets = [net for model in models for net in model.modules() if isinstance(net, WaveNet)]
    for net in nets:
        net.checkpoint_layers = checkpoint_layers
    if compile and nets and can_compile(nets[0].input.weight.device):
        for net in nets:
            net.compile()


def can_compile(device: torch.device) -> bool:
    """Whether ``torch.compile`` works here, tested on a small function; logs a warning if it does not."""
    try:
        torch.compile(_successor, dynamic=False)(torch.zeros(8, device=device))
    except Exception as error:  # the type depends on what is missing: compiler, headers or backend
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        log.warning("compile: torch.compile does not work here (%s); training continues without it", reason)
        return False
    return True


def _successor(x: torch.Tensor) -> torch.Tensor:
    return x.sin() + 1
