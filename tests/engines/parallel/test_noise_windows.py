import pytest
import torch

from wavegen.distributions.normal import Normal
from wavegen.engines.parallel.noise_windows import NOISE_SAMPLES, NoiseWindows


def seeded():
    return torch.Generator().manual_seed(3)


@pytest.mark.parametrize("block_samples", [1, 7, 4096, 5000, 20_000])
def test_noise_does_not_depend_on_the_blocks(make_student, block_samples):
    student, num_samples = make_student(Normal), 2 * NOISE_SAMPLES + 100
    expected = torch.cat(list(NoiseWindows(student, 2, num_samples, seeded(), 1.0).blocks(4000)), 1)
    blocks = list(NoiseWindows(student, 2, num_samples, seeded(), 1.0).blocks(block_samples))
    assert {block.shape[1] for block in blocks[:-1]} <= {block_samples}
    assert torch.equal(torch.cat(blocks, 1), expected) and expected.shape == (2, num_samples)


def test_short_noise_is_the_students_own(make_student):
    student = make_student()
    (block,) = NoiseWindows(student, 3, 50, seeded(), 0.5).blocks(4096)
    assert torch.equal(block, 0.5 * student.noise((3, 50), seeded()))
