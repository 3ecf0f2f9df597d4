"""A small student without conditioning, packed, with the state of one utterance."""

import functools
from types import SimpleNamespace

import numpy as np
import torch

from wavegen.distributions.logistic import Logistic
from wavegen.engines.parallel import tables
from wavegen.engines.parallel.packed import PackedStudent
from wavegen.engines.vector.packed_matrix import aligned_zeros
from wavegen.engines.vector.panels import PANEL
from wavegen.models.speech.student import WaveNetStudent
from wavegen.nets.wavenet import WaveNet


def small_student(num_flows=2, skip_channels=4, conditioning=()):
    sizes = {"residual_channels": 5, "gate_channels": 6, "output_channels": 7, "skip_channels": skip_channels}
    wavenet = functools.partial(
        WaveNet, dilations=[1, 3], kernel_size=3, input_gain=2.0, conditioning=conditioning, **sizes
    )
    student = WaveNetStudent(wavenets=[wavenet] * num_flows, family=Logistic, hop_samples=4)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return student.eval().requires_grad_(False)


def begin(student, capacity=64, block=32):
    """The packed student, and zeros for what its loops work on."""
    packed = PackedStudent(student, precision="float32", capacity=capacity)
    speech = tables.Speech(
        lines=np.zeros((len(packed.flows) + 1, 1 + packed.window_samples), np.float32),
        inputs=aligned_zeros(packed.inputs_size, packed.element),
        starts=aligned_zeros(packed.starts_size),
        frames=aligned_zeros(packed.frames_size),
        side=aligned_zeros(packed.side_size, packed.element),
    )
    for flow in packed.flows:
        flow.write_starts(flow.windows.constants(None, 1)[0], speech.starts)
    columns = -(-block // tables.COLUMNS) * tables.COLUMNS

    def scratch():
        return tables.Scratch(
            stream=aligned_zeros(columns * packed.stream_row),
            hidden=aligned_zeros(columns * packed.hidden_row, packed.element),
            sums=aligned_zeros(tables.COLUMNS * PANEL),
            offsets=np.zeros(2 * tables.COLUMNS, np.intp),
        )

    return SimpleNamespace(packed=packed, speech=speech, make_scratch=scratch, block=block)
