import pytest
import torch

from wavegen.benchmark.nets import make_context
from wavegen.benchmark.plain import PlainWaveNet
from wavegen.benchmark.training_steps import (
    distillation_loss,
    forms_here,
    teacher_loss,
    training_subjects,
)
from wavegen.nets.wavenet import WaveNet


@pytest.mark.parametrize("make", [teacher_loss, distillation_loss])
def test_every_form_descends_the_same_loss(make, small_config):
    small_config["sample_rate"] = 8000
    waveform = (0.1 * torch.randn(2, 1600)).mul(2**15).round() / 2**15
    context = make_context(small_config["conditioning"], 1600, 2)
    losses = {}
    for kind in (WaveNet, PlainWaveNet):
        _, loss = make(small_config, kind, waveform, context)
        torch.manual_seed(0)
        losses[kind] = loss().item()
    assert losses[WaveNet] == pytest.approx(losses[PlainWaveNet], rel=1e-4)


def test_steps_train(small_config):
    """Each subject counts the samples of a batch; weights move, the distillation's teacher stays."""
    small_config["sample_rate"] = 8000
    subjects = training_subjects(small_config, 1)
    assert len(subjects) == 2 * len(forms_here())
    assert {subject.items for subject in subjects} == {2 * 800}
    for subject in subjects:
        subject.run(1)
