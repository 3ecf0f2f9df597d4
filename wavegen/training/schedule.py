"""The learning rate as a function of the progress of a training."""

import math

from wavegen.errors import UserError


class OneCycle:
    r"""Rises along half a cosine, then falls along another (Smith and Topin, https://arxiv.org/abs/1708.07120).

    .. math:: r(p) = \begin{cases}
              i + (1 - i)\,\tfrac12\left(1 - \cos\pi\frac{p - p_1}{w - p_1}\right) & p < w \\
              f + (1 - f)\,\tfrac12\left(1 + \cos\pi\frac{p - w}{1 - w}\right) & p \ge w \end{cases}

    :math:`r` is the rate as a share of its maximum, :math:`p` the progress at the end of a step, in (0, 1],
    :math:`p_1` the progress at the end of the first step. If :math:`w < p_1`, there is no warm-up. If only
    steps limit the training, the rates equal those of ``torch.optim.lr_scheduler.OneCycleLR``.

    Args:
        warmup: :math:`w`, the share of the training in which the rate rises, in [0, 1).
        initial: :math:`i`, the rate of the first step.
        final: :math:`f`, the rate of the last step.

    Raises:
        UserError: if one of them is out of its range.
    """

    def __init__(self, *, warmup: float, initial: float, final: float) -> None:
        if not 0 <= warmup < 1:
            raise UserError(
                f"schedule.warmup must be a share of the training, at least 0 and below 1, got {warmup}"
            )
        for name, share in (("initial", initial), ("final", final)):
            if not 0 <= share <= 1:
                raise UserError(f"schedule.{name} must be a share of the highest rate, 0 to 1, got {share}")
        self.warmup, self.initial, self.final = warmup, initial, final

    def __call__(self, progress: float, first_progress: float) -> float:
        if progress < self.warmup:
            angle = math.pi * (progress - first_progress) / (self.warmup - first_progress)
            return self.initial + (1 - self.initial) * (1 - math.cos(angle)) / 2
        angle = math.pi * (progress - self.warmup) / (1 - self.warmup)
        return self.final + (1 - self.final) * (1 + math.cos(angle)) / 2
