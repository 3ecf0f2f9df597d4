"""What a training's WaveNets may spend: memory or a second computation, a compiler. Results are equal."""

import logging
from collections.abc import Iterable

import torch
from torch import nn

from wavegen.errors import UserError
from wavegen.nets.wavenet import WaveNet

log = logging.getLogger(__name__)


def arrange_nets(models: Iterable[nn.Module], *, checkpoint_layers: int = 0, compile: bool = False) -> None:
    """Set every WaveNet of the models up for training.

    Args:
        checkpoint_layers: groups of so many layers keep only their input for the gradient and compute what
            else it needs once more; 0 keeps everything. The square root of the number of layers keeps least.
            Costs about a third of a training step.
        compile: trace the nets with ``torch.compile``. It wants a C++ compiler on a CPU, Triton on a GPU;
            where there is none, one warning says so and training goes on without. Made for GPUs: on a CPU
            the layers' own form is faster than what is compiled, after minutes of compiling.

    Raises:
        UserError: for a number of layers that is none.
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
    """Whether ``torch.compile`` works here, found out on a sum; a warning says why where it does not."""
    try:
        torch.compile(_successor, dynamic=False)(torch.zeros(8, device=device))
    except Exception as error:  # what is thrown depends on which of compiler, headers, backend is missing
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        log.warning("compile: torch.compile does not work here (%s); training goes on without it", reason)
        return False
    return True


def _successor(x: torch.Tensor) -> torch.Tensor:
    return x.sin() + 1
