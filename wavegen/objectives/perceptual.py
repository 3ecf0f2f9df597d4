"""Perceptual distances: activations of a frozen classifier of phones, and their Gram matrices."""

from collections.abc import Callable, Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from wavegen.errors import UserError
from wavegen.models.speech.phone_classifier import PhoneClassifier
from wavegen.objectives.distillation import DistillationStep, Term
from wavegen.objectives.reduction import scored_part

SMALLEST_UNIT = 1e-8
"""For a layer whose activations are all zero."""
FITTED_RECORDINGS, FITTED_S = 20, 2.0
"""The units are estimated from the beginnings of this many recordings."""


class PerceptualLoss(nn.Module):
    r"""Feature and style distances in the layers of a phone classifier (Parallel WaveNet, section 4.1).

    With :math:`F_l` of shape ``(channels, steps)`` the activations of layer l for the recording,
    :math:`\hat F_l` those for the sample and :math:`G_l = F_l F_l^T / \text{steps}`,

    .. math:: L = \frac{1}{L} \sum_l \left[
              a\, \frac{\operatorname{mean}\,(\hat F_l - F_l)^2}{\operatorname{mean}\,F_l^2}
              + b\, \frac{\|\hat G_l - G_l\|^2}{\|G_l\|^2} \right],

    the denominators being means over the corpus, so that each distance is about 1 between a recording and
    silence and every layer has the same weight. The feature distance compares step by step: what is said
    when. The style distance averages over time: which sounds occur together, whatever their order. In the
    paper the second one gave the better voices.

    The classifier is frozen and always in evaluation mode; gradients pass through it to the sample.

    The log contains ``feature_distance`` and ``style_distance`` without their weights.

    Args:
        classifier: trained by ``wavegen classifier`` on the same sample rate.
        feature_weight, style_weight: a and b.

    Features: Johnson et al. 2016 (arXiv 1603.08155); Gram matrices: Gatys et al. 2016 (1508.06576).
    """

    classifier: PhoneClassifier

    def __init__(
        self, *, classifier: PhoneClassifier, feature_weight: float = 0.1, style_weight: float = 1.0
    ) -> None:
        super().__init__()
        # Not registered as a submodule: it is not trained, averaged or saved with the trainer's state, and
        # stays in evaluation mode.
        self.__dict__["classifier"] = classifier.requires_grad_(False).eval()
        self.feature_weight, self.style_weight = feature_weight, style_weight
        # Properties of the corpus: computed at every start and not stored in checkpoints.
        for name in ("feature_units", "style_units"):
            self.register_buffer(name, torch.zeros(len(classifier.layers)), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """The classifier moves with the loss to another device or dtype."""
        self.classifier._apply(fn)
        return super()._apply(fn, recurse)

    @torch.no_grad()
    def fit_to_data(self, recordings: Sequence[Tensor | np.ndarray]) -> None:
        """Computes the denominators of these recordings, ``(samples,)`` each, or of as many as suffice."""
        longest = round(FITTED_S * self.classifier.sample_rate)
        units, filters = [], self.classifier.filters
        for recording in recordings[:FITTED_RECORDINGS]:
            layers = self.classifier.activations(
                torch.as_tensor(recording[:longest], device=filters.device)[None]
            )
            units.append([[layer.square().mean(), gram(layer).square().sum()] for layer in layers])
        features, styles = torch.tensor(units).mean(0).clamp(min=SMALLEST_UNIT).unbind(-1)
        self.feature_units.copy_(features)
        self.style_units.copy_(styles)

    def forward(self, step: DistillationStep) -> Term:
        """The distances of the scored part of the step's sample from that of its recording."""
        feature, style = self.distances(
            scored_part(step.sample, step.mask), scored_part(step.recording, step.mask)
        )
        log = {"feature_distance": feature.detach(), "style_distance": style.detach()}
        return Term(self.feature_weight * feature + self.style_weight * style, log)

    def distances(self, sample: Tensor, recording: Tensor) -> tuple[Tensor, Tensor]:
        """Both ``(batch, time)``; the feature and the style distance, scalars, zero for equal waveforms.

        Raises:
            UserError: if ``fit_to_data`` has not been called.
        """
        if not self.feature_units.all():
            raise UserError(
                "the perceptual loss has no reference level, expected a call of fit_to_data(recordings)"
            )
        with torch.no_grad():
            references = self.classifier.activations(recording)
        feature, style = [], []
        for estimate, reference in zip(self.classifier.activations(sample), references, strict=True):
            feature.append((estimate - reference).square().mean())
            style.append((gram(estimate) - gram(reference)).square().sum((-2, -1)).mean())
        return (
            (torch.stack(feature) / self.feature_units).mean(),
            (torch.stack(style) / self.style_units).mean(),
        )


def gram(activations: Tensor) -> Tensor:
    """Means over time of products of channels, ``(batch, channels, channels)``.

    In float32 under any autocast: it is a sum of many small numbers.
    """
    activations = activations.float() if activations.dtype == torch.bfloat16 else activations
    with torch.autocast(activations.device.type, enabled=False):
        return activations @ activations.mT / activations.shape[-1]
