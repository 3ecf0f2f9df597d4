import pytest
import torch

from wavegen.distributions.logistic import Logistic
from wavegen.distributions.normal import Normal
from wavegen.linguistics.features import collate_contexts
from wavegen.synthesis.parallel import ParallelSampler


@pytest.mark.parametrize("family", [Logistic, Normal])
def test_it_is_the_students_map_of_its_noise(make_student, make_context, family):
    student, context = make_student(family), make_context(2, 5)
    spoken = ParallelSampler(student).sample(
        context, torch.tensor([20, 20]), generator=torch.Generator().manual_seed(4)
    )
    noise = student.noise((2, 20), torch.Generator().manual_seed(4))
    with torch.no_grad():
        expected, _ = student.rsample_with_conditionals(noise, context)
    assert torch.equal(spoken, expected)


def test_the_seed_decides_and_temperature_scales_the_noise(make_student, make_context):
    student, context, lengths = make_student(), make_context(2, 5), torch.tensor([20, 12])

    def speak(seed, temperature=1.0):
        sampler = ParallelSampler(student, temperature=temperature)
        return sampler.sample(context, lengths, generator=torch.Generator().manual_seed(seed))

    assert torch.equal(speak(1), speak(1))
    assert not torch.equal(speak(1), speak(2))
    assert torch.equal(speak(1, temperature=0.0), speak(2, temperature=0.0))
    noise = 0.5 * student.noise((2, 20), torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected, _ = student.rsample_with_conditionals(noise, context)
    assert torch.equal(speak(1, temperature=0.5)[0], expected[0])


def test_unequal_lengths_are_spoken_as_alone_and_end_in_zeros(make_student):
    student, lengths = make_student(), torch.tensor([12, 24])
    contexts = [{"features": torch.randn(3, n // 4, dtype=torch.float64)} for n in lengths.tolist()]
    spoken = ParallelSampler(student).sample(
        collate_contexts(contexts), lengths, generator=torch.Generator().manual_seed(0)
    )
    noise = student.noise((2, 24), torch.Generator().manual_seed(0))
    for row, length in enumerate(lengths.tolist()):
        with torch.no_grad():
            alone, _ = student.rsample_with_conditionals(
                noise[row, None, :length], collate_contexts([contexts[row]])
            )
        torch.testing.assert_close(spoken[row, None, :length], alone, rtol=1e-12, atol=1e-12)
        assert not spoken[row, length:].any()
