"""Counts the operations of a net's convolutions from their shapes."""

from typing import cast

from torch import nn

from wavegen.models.speech.student import WaveNetStudent
from wavegen.nets.wavenet import WaveNet


def wavenet_operations(net: WaveNet) -> int:
    r"""Operations per sample; a multiplication and an addition count as two.

    .. math:: 2 \Big( R + \sum_\text{layers} \big(k R G + \tfrac{G}{2} (R + S)\big) + (S \text{ or } R)\, O
              + O P \Big)

    with R residual, G gate, S skip and O output channels, kernel size k and P parameters: the dilated and 1×1
    convolutions of every sample. Not counted: conditioning (its frame-rate projection costs 1/hop of a
    sample-rate one), biases, gates, and padding of an implementation.
    """
    convolutions = [net.input, *(c for layer in net.layers for c in (layer.dilated, layer.output))]
    convolutions += [layer for layer in net.output if isinstance(layer, nn.Conv1d)]
    return 2 * sum(convolution.weight.numel() for convolution in convolutions)


def student_operations(student: WaveNetStudent) -> int:
    """Operations per sample of all flows of a student, see :func:`wavenet_operations`."""
    return sum(wavenet_operations(cast(WaveNet, step.conditioner)) for step in student.steps)
