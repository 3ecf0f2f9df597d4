"""The cached sampler is the model: sample for sample what the parallel forward says, one step at a time."""

import pytest
import torch

from wavegen.distributions.heads import LogisticMixtureHead, MuLawHead, NormalHead
from wavegen.linguistics.context import SpeechContext
from wavegen.synthesis.reference import ReferenceSampler, narrow

HEADS = {
    "logistic mixture": (LogisticMixtureHead(3, -9.0, initial_log_scale=-3.0), 0),
    "with linear prediction": (LogisticMixtureHead(3, -9.0, initial_log_scale=-3.0), 5),
    "Gaussian": (NormalHead(-9.0, initial_log_scale=-3.0), 0),
    "mu-law": (MuLawHead(32), 0),
}


@pytest.fixture(params=HEADS)
def teacher(request, make_teacher):
    head, order = HEADS[request.param]
    return make_teacher(head, linear_prediction_order=order)


def one_by_one(teacher, context, lengths, seed, temperature):
    """The plain algorithm: the whole net over the whole past for every sample, members in their own order."""
    order = lengths.argsort(descending=True)
    uniforms = torch.rand(2, int(lengths.max()), len(lengths), generator=torch.Generator().manual_seed(seed))
    uniforms = uniforms[..., order.argsort()]
    x = torch.zeros(len(lengths), int(lengths.max()), dtype=torch.float64)
    for t in range(x.shape[1]):
        parameters = teacher.conditioner(x[:, : t + 1], context)[:, t]
        drawn = teacher.head(parameters).sample_from_uniforms(uniforms[0, t], uniforms[1, t], temperature)
        x[:, t] = torch.where(t < lengths, drawn, x[:, t])
    return x


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("lengths", [[20], [7, 20, 12, 20]])
def test_equals_the_naive_loop_over_the_parallel_forward(teacher, make_context, lengths, temperature):
    lengths, context = torch.tensor(lengths), make_context(len(lengths), 5)
    generator = torch.Generator().manual_seed(9)
    sampler = ReferenceSampler(teacher, temperature=temperature)
    with torch.no_grad():
        expected = one_by_one(teacher, context, lengths, 9, temperature)
    spoken = sampler.sample(context, lengths, generator=generator)
    torch.testing.assert_close(spoken, expected, rtol=0, atol=1e-12)
    assert spoken[0].unique().numel() > 3
    for row, length in zip(spoken, lengths.tolist(), strict=True):
        assert not row[length:].any()


def test_the_seed_decides(teacher, make_context):
    context, lengths = make_context(2, 8), torch.tensor([32, 20])

    def speak(seed):
        return ReferenceSampler(teacher).sample(
            context, lengths, generator=torch.Generator().manual_seed(seed)
        )

    assert torch.equal(speak(1), speak(1))
    assert not torch.equal(speak(1), speak(2))


def test_without_temperature_there_is_no_chance(teacher, make_context):
    context, lengths = make_context(1, 5), torch.tensor([20])
    sampler = ReferenceSampler(teacher, temperature=0.0)
    first, second = (
        sampler.sample(context, lengths, generator=torch.Generator().manual_seed(s)) for s in (1, 2)
    )
    assert torch.equal(first, second)
    with torch.no_grad():
        law = teacher.conditionals(first, context)
    if isinstance(teacher.head, NormalHead):
        torch.testing.assert_close(first, law.to_grid(law.loc))
    elif isinstance(teacher.head, MuLawHead):
        torch.testing.assert_close(first, law.grid[law.logits.argmax(-1)])
    else:
        loc = law.loc.gather(-1, law.logits.argmax(-1, keepdim=True)).squeeze(-1)
        torch.testing.assert_close(first, law.to_grid(loc))


def test_samples_lie_on_the_16_bit_grid_and_within_its_range(make_teacher, make_context):
    teacher = make_teacher(NormalHead(0.5))  # so wide that it runs into both ends
    spoken = ReferenceSampler(teacher).sample(make_context(3, 25), torch.tensor([100, 100, 60]))
    integers = spoken * 32768
    assert torch.equal(integers, integers.round())
    assert integers.min() == -32768 and integers.max() == 32767


def test_the_scale_floor_of_training_holds_while_sampling(make_teacher, make_context):
    teacher = make_teacher(NormalHead(-3.0))
    with torch.no_grad():
        teacher.conditioner.output[-1].bias[1] = -30  # the net asks for far less than the floor
    spoken = ReferenceSampler(teacher).sample(make_context(4, 100), torch.tensor([400] * 4))
    with torch.no_grad():
        deviation = spoken - teacher.conditionals(spoken, make_context(4, 100)).loc
        law = teacher.conditionals(spoken, make_context(4, 100))
    assert torch.equal(law.log_scale, torch.full_like(law.log_scale, -3.0))
    assert deviation.std() > 0.04


def test_a_batch_speaks_what_its_members_are_told(make_teacher, make_context):
    """Order in the batch does not matter: each member follows its own context."""
    teacher = make_teacher(NormalHead(-9.0))
    context, lengths = make_context(3, 5), torch.tensor([8, 20, 14])
    sampler = ReferenceSampler(teacher, temperature=0.0)
    together = sampler.sample(context, lengths)
    for row, length in enumerate(lengths.tolist()):
        alone = sampler.sample(SpeechContext(features=context["features"][row, None]), lengths[row, None])
        torch.testing.assert_close(together[row, None, :length], alone, rtol=0, atol=1e-12)


def test_narrowing_reaches_every_tensor_of_a_state(make_teacher):
    teacher = make_teacher(NormalHead(-9.0), linear_prediction_order=3)
    past, inner = narrow(teacher.conditioner.initial_state(5), 2)
    assert past.shape == (2, 3)
    assert all(len(buffer) == 2 for buffer in inner.buffers) and inner.time == 0
