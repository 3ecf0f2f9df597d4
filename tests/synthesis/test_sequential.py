"""The sampler: the engine where it can, the reference where it must, the same speech from both."""

import warnings

import pytest
import torch

from wavegen.distributions.heads import LogisticMixtureHead
from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.synthesis.parallel import ParallelSampler
from wavegen.synthesis.reference import ReferenceSampler
from wavegen.synthesis.sequential import SequentialSampler
from wavegen.synthesis.temperature import VoicedTemperature


@pytest.fixture
def teacher(make_teacher):
    return make_teacher(LogisticMixtureHead(3, -6.0, initial_log_scale=-2.0), linear_prediction_order=4)


def speak(sampler, context, lengths, seed=5):
    return sampler.sample(context, lengths, generator=torch.Generator().manual_seed(seed))


def test_engine_and_reference_speak_the_same_in_any_order(teacher, make_context):
    teacher.float()
    context = make_context(4, 40).to(torch.float32)
    lengths = torch.tensor([100, 160, 3, 120])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the engine runs this model
        spoken = speak(SequentialSampler(teacher), context, lengths)
    expected = speak(ReferenceSampler(teacher), context, lengths)
    torch.testing.assert_close(spoken, expected, rtol=0, atol=1e-4)
    assert expected.std() > 0.02


def test_the_temperature_follows_voicing_in_any_order(teacher, make_context):
    """In both samplers, and in streams; the hop of the context is four samples."""
    teacher.float()
    context = make_context(3, 40).to(torch.float32)
    voiced = torch.zeros(3, 40)
    voiced[0, 10:] = voiced[1, :5] = 1.0
    context = SpeechContext(**context, voiced=voiced)
    lengths, temperature = torch.tensor([100, 160, 120]), VoicedTemperature(0.0, 1.0, hop_samples=4)
    spoken = speak(SequentialSampler(teacher, temperature=temperature), context, lengths)
    expected = speak(ReferenceSampler(teacher, temperature=temperature), context, lengths)
    torch.testing.assert_close(spoken, expected, rtol=0, atol=1e-4)
    noisy = speak(SequentialSampler(teacher), context, lengths)
    assert torch.equal(spoken[0, :40], noisy[0, :40]) and not torch.equal(spoken[0], noisy[0])
    assert torch.equal(spoken[2], noisy[2]) and not torch.equal(spoken[1, :20], noisy[1, :20])
    stream = SequentialSampler(teacher, temperature=temperature).stream(
        context, 160, generator=torch.Generator().manual_seed(5)
    )
    whole = speak(SequentialSampler(teacher, temperature=temperature), context, torch.full((3,), 160))
    assert torch.equal(torch.cat(list(stream), 1), whole)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_stream_is_the_whole_waveform_in_windows(teacher, make_context, precision):
    teacher.float()
    context = make_context(2, 100).to(torch.float32)
    sampler = SequentialSampler(teacher, precision=precision)
    whole = speak(sampler, context, torch.tensor([399, 399]))
    blocks = list(sampler.stream(context, 399, generator=torch.Generator().manual_seed(5)))
    assert [block.shape for block in blocks] == [(2, 128), (2, 128), (2, 128), (2, 15)]
    assert torch.equal(torch.cat(blocks, 1), whole)


def test_a_stream_leaves_torch_as_it_was_while_it_rests(teacher, make_context):
    teacher.float()
    context = make_context(1, 100).to(torch.float32)
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        stream = SequentialSampler(teacher).stream(context, 400)
        next(stream)
        assert torch.get_num_threads() == threads + 1
        assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
        assert sum(block.shape[1] for block in stream) == 400 - 128
    finally:
        torch.set_num_threads(threads)


def test_a_stream_of_what_the_engine_cannot_run_is_spoken_whole(teacher, make_context):
    sampler, context = SequentialSampler(teacher), make_context(1, 10)  # in float64
    with pytest.warns(UserWarning, match="float64"):
        (block,) = sampler.stream(context, 40, generator=torch.Generator().manual_seed(5))
    assert torch.equal(block, speak(sampler, context, torch.tensor([40])))


def test_a_stream_without_a_length_or_with_a_short_context_is_refused(teacher, make_context):
    teacher.float()
    context = make_context(1, 10).to(torch.float32)
    with pytest.raises(UserError, match="num_samples: expected at least 1, got 0"):
        SequentialSampler(teacher).stream(context, 0)
    with pytest.raises(UserError, match="covers 40 samples"):
        next(SequentialSampler(teacher).stream(context, 41))


def test_the_speech_is_what_the_model_expects(teacher, make_context):
    """The laws' own standard deviates of what was spoken are standard: no bias, no lost variance."""
    teacher.float()
    context = make_context(8, 150).to(torch.float32)
    spoken = speak(SequentialSampler(teacher), context, torch.tensor([600] * 8))
    with torch.no_grad():
        law = teacher.conditionals(spoken, context).continuous
    probability = law.cdf(spoken)
    assert abs(probability.mean() - 0.5) < 0.02
    assert abs(probability.std() - 12**-0.5) < 0.01


def test_a_model_it_cannot_run_speaks_through_its_step_form_after_one_warning(teacher, make_context):
    context, lengths = make_context(2, 10), torch.tensor([40, 30])
    sampler = SequentialSampler(teacher)  # in float64
    with pytest.warns(UserWarning, match=r"conditioner\.taps is float64") as caught:
        spoken = speak(sampler, context, lengths)
        again = speak(sampler, context, lengths)
    assert len(caught) == 1
    assert spoken.dtype == torch.float64
    assert torch.equal(spoken, again)
    assert torch.equal(spoken, speak(ReferenceSampler(teacher), context, lengths))


def test_a_trained_weight_is_heard_at_once(teacher, make_context):
    teacher.float()
    context = make_context(1, 10).to(torch.float32)
    sampler, lengths = SequentialSampler(teacher), torch.tensor([40])
    before = speak(sampler, context, lengths)
    with torch.no_grad():
        teacher.conditioner.conditioner.output[-1].bias[3:6] += 0.3
    after = speak(sampler, context, lengths)
    assert (after - before).mean() > 0.1


def test_broken_weights_are_refused_not_spoken(teacher, make_context):
    teacher.float()
    with torch.no_grad():
        teacher.conditioner.taps[0] = float("nan")
    with pytest.raises(UserError, match=r"of 'conditioner\.taps'"):
        SequentialSampler(teacher).sample(make_context(1, 10), torch.tensor([40]))


@pytest.mark.parametrize("sampler", [SequentialSampler, ParallelSampler])
@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"precision": "float16"}, "precision must be one of auto, float32, bfloat16, got 'float16'"),
        ({"num_threads": 0}, "num_threads must be at least 1, got 0"),
        ({"num_threads": -2}, "num_threads must be at least 1, got -2"),
    ],
)
def test_settings_that_there_are_not_are_refused(teacher, sampler, settings, named):
    with pytest.raises(UserError, match=named):
        sampler(teacher, **settings)


def test_a_teacher_on_another_device_is_spoken_by_the_engine(device, teacher, make_context):
    """Contexts and lengths may lie on either device; the waveform lies on the model's."""
    teacher.float()
    context, lengths = make_context(2, 40).to(torch.float32), torch.tensor([100, 160])
    voiced = SpeechContext(**context, voiced=(torch.rand(2, 40) > 0.5).float())
    temperature = VoicedTemperature(0.5, 1.0, hop_samples=4)
    expected = speak(SequentialSampler(teacher, temperature=temperature), voiced, lengths)
    sampler = SequentialSampler(teacher.to(device), temperature=temperature)
    for given, of_lengths in ((voiced, lengths), (voiced.to(device), lengths.to(device))):
        spoken = speak(sampler, given, of_lengths)
        assert spoken.device == device
        torch.testing.assert_close(spoken.cpu(), expected, rtol=0, atol=1e-4)
    blocks = list(sampler.stream(voiced, 160, generator=torch.Generator().manual_seed(5)))
    whole = speak(sampler, voiced, torch.full((2,), 160))
    assert {block.device for block in blocks} == {device} and torch.equal(torch.cat(blocks, 1), whole)


@pytest.mark.filterwarnings("ignore:the compiled sampler cannot run")
def test_a_teacher_that_no_engine_runs_speaks_on_its_device(device, teacher, make_context):
    context, lengths = make_context(2, 40), torch.tensor([12, 20])
    expected = speak(SequentialSampler(teacher), context, lengths)  # in float64, which is not the engine's
    spoken = speak(SequentialSampler(teacher.to(device)), context, lengths)
    assert spoken.device == device
    torch.testing.assert_close(spoken.cpu(), expected, rtol=0, atol=1e-4)
