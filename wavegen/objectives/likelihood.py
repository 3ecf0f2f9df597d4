"""The negative log-likelihood of waveforms, for maximum likelihood training."""

from collections.abc import Mapping

from torch import Tensor

from wavegen.models.speech.protocols import SequentialModel
from wavegen.objectives.reduction import masked_mean


def negative_log_likelihood(
    model: SequentialModel, waveform: Tensor, context: Mapping[str, Tensor] | None, mask: Tensor
) -> Tensor:
    r"""Nats per sample, :math:`-\frac1N \sum_{t \in \text{mask}} \log P(x_t \mid x_{<t}, c)`.

    Args:
        model: a sequential model with ``conditionals(x, context)``.
        waveform: ``(batch, time)``, on the grid of the model's head.
        context: the conditioning.
        mask: ``(batch, time)`` bool; False for samples that are conditioned on but not scored.
    """
    return masked_mean(-model.conditionals(waveform, context).log_prob(waveform), mask)
