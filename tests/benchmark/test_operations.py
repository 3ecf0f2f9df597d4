import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from wavegen.benchmark.nets import make_student, make_teacher
from wavegen.benchmark.operations import student_operations, wavenet_operations
from wavegen.benchmark.plain import PlainWaveNet
from wavegen.nets.wavenet import dilation_cycles

CONDITIONING = {"channels": 80, "hop_samples": 120}
WIDTHS = {"kernel_size": 3, "residual_channels": 64, "gate_channels": 128, "output_channels": 64}


def test_the_published_shapes_counted_by_hand():
    teacher = make_teacher(
        {"num_layers": 30, "num_components": 10, "skip_channels": 64, **WIDTHS}, CONDITIONING, seed=0
    )
    layer = 3 * 64 * 128 + 64 * (64 + 64)
    assert wavenet_operations(teacher.conditioner) == 2 * (64 + 30 * layer + 64 * 64 + 64 * 30)
    student = make_student(
        {"num_layers": [10, 10, 10, 30], "skip_channels": 0, **WIDTHS}, CONDITIONING, seed=0
    )
    layer = 3 * 64 * 128 + 64 * 64
    assert student_operations(student) == 2 * (60 * layer + 4 * (64 + 64 * 64 + 64 * 2))


@pytest.mark.parametrize("skip_channels", [0, 5])
def test_torch_counts_the_same(skip_channels):
    net = PlainWaveNet(
        num_parameters=7,
        dilations=dilation_cycles(4, 3),
        kernel_size=3,
        residual_channels=6,
        gate_channels=10,
        skip_channels=skip_channels,
        output_channels=8,
    )
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.randn(2, 50))
    assert counter.get_total_flops() == 2 * 50 * wavenet_operations(net)
