"""A small teacher without conditioning, and one group of its utterances, window by window."""

import functools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from wavegen.distributions.heads import NormalHead
from wavegen.engines.conditioning_windows import Window
from wavegen.engines.sequential.kernel import run_stage
from wavegen.engines.sequential.packed import PackedTeacher
from wavegen.engines.sequential.utterance_group import UtteranceGroup
from wavegen.engines.vector.tiles import FLOAT32
from wavegen.models.speech.teacher import WaveNetTeacher
from wavegen.nets.wavenet import WaveNet


def small_teacher(head=None, **options):
    sizes = {"residual_channels": 5, "gate_channels": 6, "skip_channels": 4, "output_channels": 7}
    wavenet = functools.partial(WaveNet, dilations=[1, 2, 4], kernel_size=3, input_gain=2.0, **sizes)
    teacher = WaveNetTeacher(head=head or NormalHead(-6.0), wavenet=wavenet, **options)
    with torch.no_grad():
        for parameter in teacher.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return teacher.eval().requires_grad_(False)


def group_of(teacher, members, num_stages=1):
    packed = PackedTeacher(teacher, FLOAT32)
    net, members = packed.net([]), np.asarray(members)
    starts = np.broadcast_to(packed.gate_bias, (len(members), *packed.gate_bias.shape))
    layers = len(net.now)
    bounds = [layers * stage // num_stages for stage in range(num_stages + 1)]
    return UtteranceGroup(net, members, np.ascontiguousarray(starts), bounds)


def prepare(group, start, stop, batch_size):
    window = Window(start, stop, torch.zeros(batch_size, stop - start, 0), torch.zeros(batch_size, 2, 0))
    group.prepare(window, torch.zeros(batch_size, 2, 0, 0), torch.zeros(3, 0))


def run(group):
    stages = list(group.stages())
    with ThreadPoolExecutor(len(stages)) as pool:
        for done in [pool.submit(run_stage, *stage) for stage in stages]:
            done.result()


def read(group, x, start, stop):
    """The parameters of the samples ``start … stop − 1`` of ``x (batch, time)``, as the loop finds them."""
    prepare(group, start, stop, len(x))
    group.to_read(np.ascontiguousarray(x[:, start:stop]))
    run(group)
    return group.recorded.copy()
