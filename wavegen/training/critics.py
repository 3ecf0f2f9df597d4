"""Trains the critics of losses beside the student."""

from collections.abc import Callable, Iterable
from typing import Any, cast

from torch import Tensor, nn
from torch.optim import Optimizer

from wavegen.objectives.distillation import DistillationStep, LossWithCritic, WeightedTerm


class Critics:
    """The critics among a loss's terms, each with an optimiser of its own at a constant rate.

    Lightning's automatic optimisation knows one optimiser, and counts its steps. So a critic's parameters
    need a gradient only within its own step, and the state of its optimiser is a part of the checkpoint
    (``state_dict``); a resumed training equals an uninterrupted one. Its weights are the module's.

    Args:
        terms: of the loss.
    """

    def __init__(self, terms: nn.ModuleDict) -> None:
        losses = {name: cast(WeightedTerm, term).loss for name, term in terms.items()}
        self.losses: dict[str, LossWithCritic] = {
            name: loss for name, loss in losses.items() if isinstance(loss, LossWithCritic)
        }
        for loss in self.losses.values():
            loss.critic.requires_grad_(False)
        self._optimizers: dict[str, Optimizer] = {}
        self._restored: dict[str, Any] = {}

    def begin(self) -> None:
        """Make the optimisers, once the critics are on their device; continues from a restored state."""
        for name, loss in self.losses.items():
            self._optimizers[name] = loss.optimizer(loss.critic.parameters())
            if name in self._restored:
                self._optimizers[name].load_state_dict(self._restored[name])

    def update(
        self, step: DistillationStep, names: Iterable[str], average: Callable[[Tensor], Tensor]
    ) -> dict[str, Tensor]:
        """One step of the critics of these terms; returns their losses before it, as ``NAME_critic``.

        Args:
            average: the mean of a tensor over the processes of a training.
        """
        log, constant = {}, step.without_gradient()
        for name in names:
            if name not in self.losses:
                continue
            loss, optimizer = self.losses[name], self._optimizers[name]
            loss.critic.requires_grad_(True)
            value = loss.critic_loss(constant)
            value.backward()
            for parameter in loss.critic.parameters():
                if parameter.grad is not None:
                    parameter.grad = average(parameter.grad)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            loss.critic.requires_grad_(False)
            log[f"{name}_critic"] = value.detach()
        return log

    def state_dict(self) -> dict[str, Any]:
        return {name: optimizer.state_dict() for name, optimizer in self._optimizers.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._restored = state_dict
