"""Checks whether the engines can run a model: WaveNets made of this project's own layers, in float32."""

from collections.abc import Sequence

import torch
from torch import nn

from wavegen.distributions.heads import LogisticMixtureHead, MuLawHead, NormalHead
from wavegen.engines.conditioning_windows import Unsupported
from wavegen.engines.precision import PRECISIONS
from wavegen.errors import UserError
from wavegen.flows.causal_affine import CausalAffineSeries
from wavegen.flows.linear_prediction import LinearPrediction as FilterOfFrames
from wavegen.models.speech.excitation_conditioner import ExcitationConditioner
from wavegen.models.speech.mixed_source import MixedSource
from wavegen.models.speech.source_filter import AffineNoise
from wavegen.models.speech.student import WaveNetStudent
from wavegen.nets.frame_net import FrameNet
from wavegen.nets.linear_prediction import LinearPrediction
from wavegen.nets.residual_layer import GatedResidualLayer
from wavegen.nets.wavenet import WaveNet

HEADS = (LogisticMixtureHead, NormalHead, MuLawHead)
"""Heads of teachers that the sequential engine supports."""


def check_settings(
    precision: str, num_threads: int | None, *, precisions: Sequence[str] = PRECISIONS
) -> None:
    """
    Raises:
        UserError: if the precision is not in ``precisions``, or the number of threads is below 1.
    """
    if precision not in precisions:
        raise UserError(f"precision must be one of {', '.join(precisions)}, got '{precision}'")
    if num_threads is not None and num_threads < 1:
        raise UserError(f"num_threads must be at least 1, got {num_threads}")


def check_finite(model: nn.Module) -> None:
    """
    Raises:
        UserError: if a parameter or buffer contains NaN or infinity; names the first one.
    """
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            bad = int((~torch.isfinite(tensor)).sum())
            raise UserError(
                f"weights must be finite, but {bad} of the elements of '{name}', of shape "
                f"{tuple(tensor.shape)}, are NaN or infinite"
            )


def check_float32(model: nn.Module) -> None:
    """Raise Unsupported, with the parameter's name, if a parameter is not float32."""
    for name, parameter in model.named_parameters():
        if parameter.dtype != torch.float32:
            raise Unsupported(f"{name} is {str(parameter.dtype).removeprefix('torch.')}")


def check_student(student: nn.Module) -> None:
    """Raise Unsupported, with the layer's name, if the parallel engine cannot run the student."""
    if type(student) is not WaveNetStudent:
        raise Unsupported(f"the student is a {type(student).__name__}")
    names = {module: name for name, module in student.named_modules()}
    if student.voice is not None:
        check_voice(student.voice, names)
    for step in student.steps:
        wavenet = step.conditioner
        check_wavenet(wavenet, names)
        if wavenet.training and wavenet.input_dropout.p > 0:
            raise Unsupported(f"{names[wavenet.input_dropout]} drops inputs while training")
    check_float32(student)
    check_on_cpu(student)


def check_speaker(model: nn.Module) -> None:
    """Raise Unsupported, with the part's name, if no engine can run a student or a source-filter voice."""
    if type(model) is AffineNoise:
        check_voice(model.bijection, {module: name for name, module in model.named_modules()})
    else:
        check_student(model)


def check_on_cpu(model: nn.Module) -> None:
    """Raise Unsupported, with the parameter's name, if a parameter is on another device."""
    for name, parameter in model.named_parameters():
        if parameter.device.type != "cpu":
            raise Unsupported(f"{name} is on {parameter.device.type}")


def check_voice(voice: nn.Module, names: dict[nn.Module, str]) -> None:
    """Raise Unsupported if the source-filter engine cannot run the bijections of a voice."""
    _check_type(voice, CausalAffineSeries, names)
    kinds = [type(member) for member in voice.members]
    if kinds != [FilterOfFrames, MixedSource]:
        made_of = ", ".join(kind.__name__ for kind in kinds)
        raise Unsupported(f"{names[voice]} is made of {made_of}, not of a LinearPrediction and a MixedSource")
    filter, mixture = voice.members
    if filter.hop_samples != mixture.hop_samples:
        raise Unsupported(
            f"{names[filter]} has {filter.hop_samples} samples per frame, {names[mixture]} has "
            f"{mixture.hop_samples}"
        )
    for member in voice.members:
        _check_type(member.parameter_source, FrameNet, names)
        for module in member.modules():
            if isinstance(module, nn.Dropout) and module.training and module.p > 0:
                raise Unsupported(f"{names[module]} drops inputs while training")
    check_float32(voice)
    check_on_cpu(voice)


def check_teacher(model: nn.Module) -> None:
    """Raise Unsupported, with the layer's name, if the sequential engine cannot run the teacher."""
    conditioner = getattr(model, "conditioner", None)
    if type(conditioner) is LinearPrediction:
        conditioner = conditioner.conditioner
    elif type(conditioner) is ExcitationConditioner:
        if conditioner.affine != getattr(model.head, "affine", None):
            raise Unsupported("conditioner.affine is not the method of the head")
        conditioner = conditioner.wavenet
    if conditioner is None:
        raise Unsupported(f"the teacher is a {type(model).__name__}")
    check_wavenet(conditioner, {module: name for name, module in model.named_modules()})
    check_float32(model)
    if type(model.head) not in HEADS:
        raise Unsupported(f"head is a {type(model.head).__name__}")


def check_wavenet(wavenet: nn.Module, names: dict[nn.Module, str]) -> None:
    """Raise Unsupported if a layer may compute anything but a WaveNet's; ``names`` has the layers' names."""
    _check_type(wavenet, WaveNet, names)
    _check_pointwise(wavenet.input, names)
    for layer in wavenet.layers:
        _check_type(layer, GatedResidualLayer, names)
        _check_type(layer.dilated, nn.Conv1d, names)
        _check_pointwise(layer.output, names)
        if layer.conditioning is not None:
            _check_pointwise(layer.conditioning, names)
    _check_type(wavenet.output, nn.Sequential, names)
    if len(wavenet.output) != 4:
        raise Unsupported(f"{names[wavenet.output]} has {len(wavenet.output)} layers")
    for index in (0, 2):
        _check_type(wavenet.output[index], nn.LeakyReLU, names)
        if wavenet.output[index].negative_slope != 0.2:
            raise Unsupported(
                f"{names[wavenet.output[index]]} has the slope {wavenet.output[index].negative_slope}"
            )
        _check_pointwise(wavenet.output[index + 1], names)


def _check_pointwise(layer: nn.Module, names: dict[nn.Module, str]) -> None:
    _check_type(layer, nn.Conv1d, names)
    if layer.kernel_size != (1,):
        raise Unsupported(f"{names[layer]} has a kernel of {layer.kernel_size[0]}")


def _check_type(layer: nn.Module, expected: type[nn.Module], names: dict[nn.Module, str]) -> None:
    """Check the exact type: a subclass, a parametrisation or a hook may compute something else."""
    if type(layer) is not expected:
        raise Unsupported(f"{names[layer]} is a {type(layer).__name__}")
    if layer._forward_hooks or layer._forward_pre_hooks:
        raise Unsupported(f"{names[layer]} has forward hooks")
    if "forward" in vars(layer):
        raise Unsupported(f"{names[layer]} has another forward than its class")
