"""The compiled loop called as the engine calls it, against the model's own pass."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

one_group = runpy.run_path(str(Path(__file__).with_name("one_group.py")))
small_teacher, group_of, prepare, read, run = (
    one_group[name] for name in ("small_teacher", "group_of", "prepare", "read", "run")
)


@pytest.mark.parametrize("columns", [1, 3])
def test_recorded_parameters_are_the_nets_own(columns):
    teacher, x = small_teacher(), 0.3 * torch.randn(columns, 50)
    found = read(group_of(teacher, range(columns)), x.numpy(), 0, 50)
    np.testing.assert_allclose(found[..., :2], teacher.conditioner(x), rtol=1e-4, atol=1e-4)
    assert not found[..., 2:].any(), "what is padded"


@pytest.mark.parametrize("num_stages", [2, 3])
def test_layers_that_are_shared_by_threads_change_no_bit(num_stages):
    teacher, x = small_teacher(), 0.3 * torch.randn(2, 60).numpy()
    alone = read(group_of(teacher, [0, 1]), x, 0, 60)
    assert np.array_equal(read(group_of(teacher, [0, 1], num_stages), x, 0, 60), alone)


def test_a_sample_is_drawn_from_the_parameters_that_its_past_gives():
    teacher = small_teacher(linear_prediction_order=3)
    noise = torch.randn(40, 1)
    group = group_of(teacher, [0])
    prepare(group, 0, 40, batch_size=1)
    group.to_speak(np.zeros((40, 1), np.float32), noise.numpy(), np.ones((40, 1), np.float32))
    run(group)
    spoken = torch.from_numpy(group.spoken)
    law = teacher.conditionals(spoken, None)
    expected = (law.continuous.loc + law.continuous.scale * noise.T).clamp(
        teacher.head.low, teacher.head.high
    )
    assert (spoken - expected).abs().max() < 2 * teacher.head.step
