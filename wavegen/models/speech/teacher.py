"""The teacher: a causal WaveNet with an output head, trained on the exact probability of 16-bit samples."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from wavegen.distributions.autoregressive import AutoregressiveModel
from wavegen.distributions.batches import Context
from wavegen.errors import UserError
from wavegen.models.speech.excitation_conditioner import ExcitationConditioner
from wavegen.models.speech.source_filter import SourceFilter
from wavegen.nets.linear_prediction import LinearPrediction

SPEECH_RMS = 0.1


class WaveNetTeacher(AutoregressiveModel):
    """An autoregressive distribution of waveforms (van den Oord et al. 2016; Parallel WaveNet, 1711.10433).

    Args:
        head: the distribution of one sample: mixture of logistics, Gaussian, or mu-law categorical.
        wavenet: builds the conditioner, called with ``num_parameters``.
        source_filter: the WaveNet models the excitation under its density, which the untrained teacher has;
            None gives the plain WaveNet of the papers.
        linear_prediction_order: number of taps of a trainable linear predictor of a plain WaveNet, whose
            prediction is added to the locations of the head; 0 for none.

    Raises:
        UserError: if the head has no locations to which something could be added, or if both a source-filter
            model and a linear predictor are given.
    """

    def __init__(
        self,
        *,
        head: nn.Module,
        wavenet: Callable[..., nn.Module],
        source_filter: SourceFilter | None = None,
        linear_prediction_order: int = 0,
    ) -> None:
        if source_filter is not None and linear_prediction_order:
            raise UserError(
                "a teacher with a source_filter needs linear_prediction_order=0, got "
                f"{linear_prediction_order}"
            )
        if source_filter is not None and not hasattr(head, "affine"):
            raise UserError(
                f"a teacher with a source_filter needs a head with locations, got {type(head).__name__}"
            )
        conditioner = wavenet(num_parameters=head.num_parameters)
        if source_filter is not None:
            conditioner.input_gain *= SPEECH_RMS  # the net's gain is for waveforms; an excitation has RMS 1
        with torch.no_grad():
            last = conditioner.output[-1]
            last.weight.mul_(0.1)  # the initial distribution is then close to head.initial_bias()
            last.bias.copy_(head.initial_bias() if source_filter is None else head.initial_bias(0.0))
        if source_filter is not None:
            conditioner = ExcitationConditioner(
                wavenet=conditioner, source_filter=source_filter, affine=head.affine
            )
        elif linear_prediction_order:
            if not hasattr(head, "shift_loc"):
                raise UserError(
                    f"linear_prediction_order must be 0 for {type(head).__name__}, which has no location "
                    f"parameters, got {linear_prediction_order}"
                )
            conditioner = LinearPrediction(
                conditioner=conditioner, shift_loc=head.shift_loc, order=linear_prediction_order
            )
        super().__init__(conditioner=conditioner, head=head)

    @property
    def wavenet(self) -> nn.Module:
        """The WaveNet, without what maps its parameters to the waveform."""
        conditioner = self.conditioner
        if isinstance(conditioner, ExcitationConditioner):
            return conditioner.wavenet
        return conditioner.conditioner if isinstance(conditioner, LinearPrediction) else conditioner

    @property
    def source_filter(self) -> SourceFilter | None:
        """The source-filter model under the WaveNet; None for a plain one."""
        conditioner = self.conditioner
        return conditioner.source_filter if isinstance(conditioner, ExcitationConditioner) else None

    @property
    def receptive_field(self) -> int:
        return self.conditioner.receptive_field

    @property
    def lookahead_frames(self) -> int:
        """Frames of features after a frame that its density depends on; 1 for the upsampling."""
        return 1 if self.source_filter is None else self.source_filter.lookahead_frames

    @property
    def past_samples(self) -> int:
        """Samples before an excerpt, with their features, that the density within the excerpt depends on."""
        if self.source_filter is None:
            return self.receptive_field
        return self.wavenet.receptive_field + self.source_filter.past_samples

    def conditionals(self, x: Tensor, context: Context = None) -> Distribution:
        """p(x_t | x_<t, context) for every t. A mu-law head quantises the observed past, as in sampling."""
        observed = getattr(self.head, "observed", None)
        return super().conditionals(x if observed is None else observed(x), context)

    def fit_to_data(self, waveforms: Sequence[np.ndarray]) -> None:
        """Data-dependent initialisation: fits the linear predictor, if there is one, to the recordings."""
        if isinstance(self.conditioner, LinearPrediction):
            self.conditioner.fit(waveforms)
