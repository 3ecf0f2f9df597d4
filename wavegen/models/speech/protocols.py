"""The interfaces of speech models that distillation, evaluation and the samplers use."""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from wavegen.distributions.batches import Context
from wavegen.distributions.logistic import Logistic
from wavegen.distributions.normal import Normal


@runtime_checkable
class SequentialModel(Protocol):
    """A module with a distribution of each sample of a waveform given the past samples: a teacher.

    Waveforms are ``(batch, time)`` in [−1, 1), ``time`` in samples. The context covers them: a batch of the
    same size, with a frame for every 5 ms or more.
    """

    @property
    def receptive_field(self) -> int:
        """The number of past samples that the distribution of a sample depends on."""
        ...

    def conditionals(self, x: Tensor, context: Context = None) -> Distribution:
        """p(x_t | x_<t, context) for every t of ``x (batch, time)``: batch shape ``(batch, time)``.

        ``log_prob(x)`` is in nats per sample, ``(batch, time)``. Distillation needs the attribute
        ``continuous``, the density whose integral over a quantisation step is the mass.
        """
        ...

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """The parameters of the module. The first one has the device and the dtype of the model."""
        ...


class SteppedModel(SequentialModel, Protocol):
    """A sequential model that can generate sample by sample.

    It cannot be checked at run time: submodules are not attributes of a module's class.

    Attributes:
        conditioner: has the step form, ``initial_state(batch_size)``, ``project_context(context,
            num_samples)`` and ``step(x_previous, projected_t, state)``, which gives parameters
            ``(batch, head.num_parameters)`` and the next state.
        head: makes of parameters ``(…, num_parameters)`` a distribution of batch shape ``(…)`` that has
            ``sample_from_uniforms``.
    """

    conditioner: nn.Module
    head: nn.Module


@runtime_checkable
class ParallelModel(Protocol):
    """A module that generates all samples of a waveform in one pass from noise: a student."""

    @property
    def receptive_field(self) -> int:
        """The number of past noise samples that a sample depends on."""
        ...

    def noise(self, shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
        """White noise of that shape from the model's base, on the model's device.

        The generator's seed decides it; without one, torch's own state does.
        """
        ...

    def rsample_with_conditionals(
        self, noise: Tensor, context: Context = None
    ) -> tuple[Tensor, Normal | Logistic]:
        """The waveform of ``noise (batch, time)``, and the distribution of each sample given past noise.

        The waveform ``(batch, time)`` is neither rounded nor clipped. The distributions have batch shape
        ``(batch, time)``, ``loc`` and ``log_scale``. Both are differentiable in noise and parameters.
        """
        ...

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """The parameters of the module. The first one has the device and the dtype of the model."""
        ...
