"""Makes the nets whose speed is measured, with the configured shapes and random weights.

Speed does not depend on the training of a net, as long as its numbers are finite and not denormal.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from wavegen.distributions.heads import LogisticMixtureHead
from wavegen.distributions.logistic import Logistic
from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.student import WaveNetStudent
from wavegen.models.speech.teacher import WaveNetTeacher
from wavegen.nets.conditioning import FrameConditioning, SharedUpsampling
from wavegen.nets.wavenet import WaveNet, dilation_cycles

CYCLE_LENGTH = 10
"""Number of layers after which the dilations start again at 1."""


def make_teacher(
    shape: Mapping[str, Any],
    conditioning: Mapping[str, Any],
    *,
    seed: int,
    wavenet: Callable[..., WaveNet] = WaveNet,
) -> WaveNetTeacher:
    """A teacher of that shape with a mixture of logistics, in evaluation mode.

    Args:
        shape: ``num_layers``, ``num_components``, and the widths and kernel size that a WaveNet takes.
        conditioning: ``channels``, ``hop_samples``.
        seed: of the weights; two classes of WaveNet get the same weights.
        wavenet: class of the net.
    """
    widths = dict(shape)
    num_layers, num_components = widths.pop("num_layers"), widths.pop("num_components")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return WaveNetTeacher(
            head=LogisticMixtureHead(num_components, -9.0),
            wavenet=_builder(wavenet, num_layers, widths, conditioning),
        ).eval()


def make_student(
    shape: Mapping[str, Any],
    conditioning: Mapping[str, Any],
    *,
    seed: int,
    wavenet: Callable[..., WaveNet] = WaveNet,
) -> WaveNetStudent:
    """A student of that shape with logistic noise; ``num_layers`` is a list with one number per flow."""
    widths = dict(shape)
    num_layers = widths.pop("num_layers")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return WaveNetStudent(
            wavenets=[_builder(wavenet, layers, widths, conditioning) for layers in num_layers],
            family=Logistic,
            hop_samples=conditioning["hop_samples"],
        ).eval()


def _builder(
    wavenet: Callable[..., WaveNet],
    num_layers: int,
    widths: Mapping[str, Any],
    conditioning: Mapping[str, Any],
) -> Callable[..., nn.Module]:
    frames = FrameConditioning(
        in_channels=conditioning["channels"], upsampling=SharedUpsampling, **conditioning
    )
    return partial(
        wavenet, dilations=dilation_cycles(num_layers, CYCLE_LENGTH), conditioning=[frames], **widths
    )


def make_context(conditioning: Mapping[str, Any], num_samples: int, batch_size: int = 1) -> SpeechContext:
    """Random features at frame rate that cover ``num_samples`` samples and one frame of lookahead."""
    frames = -(-num_samples // conditioning["hop_samples"]) + 1
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(batch_size, conditioning["channels"], frames, generator=generator)
    return SpeechContext(features=features)


def check_sound(waveform: Tensor, what: str) -> Tensor:
    """The waveform, after a check: the time of a NaN or silent waveform is meaningless.

    Raises:
        UserError: if a sample is not finite or all are the same; names ``what``.
    """
    if not torch.isfinite(waveform).all() or (waveform.numel() > 1 and waveform.std() < 1e-6):
        raise UserError(
            f"{what} made a waveform that is not finite or is constant, so its time is meaningless: choose "
            f"another seed or shape"
        )
    return waveform
