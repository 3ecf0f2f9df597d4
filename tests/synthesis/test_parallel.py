import gc
import tracemalloc
import warnings

import pytest
import torch

from wavegen.distributions.logistic import Logistic
from wavegen.distributions.normal import Normal
from wavegen.engines.parallel.noise_windows import NoiseWindows
from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.synthesis import parallel
from wavegen.synthesis.parallel import ParallelSampler


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def student(make_student):
    return make_student().float()


@pytest.fixture
def make_float_context(make_context):
    def make(batch, frames):
        return make_context(batch, frames).to(torch.float32)

    return make


@pytest.mark.parametrize("family", [Logistic, Normal])
@pytest.mark.filterwarnings("ignore:the student runs in PyTorch")
def test_it_is_the_students_map_of_its_noise(make_student, make_context, family):
    student, context = make_student(family), make_context(2, 5)
    spoken = ParallelSampler(student).sample(context, torch.tensor([20, 20]), generator=seeded(4))
    with torch.no_grad():
        expected, _ = student.rsample_with_conditionals(student.noise((2, 20), seeded(4)), context)
        assert torch.equal(spoken, expected)
        student, context = student.float(), context.to(torch.float32)
        spoken = ParallelSampler(student).sample(context, torch.tensor([20, 20]), generator=seeded(4))
        expected, _ = student.rsample_with_conditionals(student.noise((2, 20), seeded(4)), context)
    torch.testing.assert_close(spoken, expected, rtol=0, atol=1e-5)


def test_the_seed_decides_and_temperature_scales_the_noise(student, make_float_context):
    context, lengths = make_float_context(2, 5), torch.tensor([20, 12])

    def speak(seed, temperature=1.0):
        return ParallelSampler(student, temperature=temperature).sample(
            context, lengths, generator=seeded(seed)
        )

    assert torch.equal(speak(1), speak(1))
    assert not torch.equal(speak(1), speak(2))
    assert torch.equal(speak(1, temperature=0.0), speak(2, temperature=0.0))
    with torch.no_grad():
        expected, _ = student.rsample_with_conditionals(0.5 * student.noise((2, 20), seeded(1)), context)
    torch.testing.assert_close(speak(1, temperature=0.5)[0], expected[0], rtol=0, atol=1e-5)


def test_unequal_lengths_are_spoken_as_alone_and_end_in_zeros(student):
    lengths = torch.tensor([12, 24])
    contexts = [SpeechContext(features=torch.randn(3, n // 4)) for n in lengths.tolist()]
    spoken = ParallelSampler(student).sample(SpeechContext.collate(contexts), lengths, generator=seeded())
    noise = student.noise((2, 24), seeded())
    for row, length in enumerate(lengths.tolist()):
        with torch.no_grad():
            alone, _ = student.rsample_with_conditionals(
                noise[row, None, :length], SpeechContext.collate([contexts[row]])
            )
        torch.testing.assert_close(spoken[row, None, :length], alone, rtol=0, atol=1e-5)
        assert not spoken[row, length:].any()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("num_threads", [1, 2, 3])
def test_a_stream_is_the_whole_waveform_in_blocks(student, make_float_context, precision, num_threads):
    num_samples = 4099  # a window of noise and a little
    context, lengths = make_float_context(2, 1025), torch.tensor([num_samples] * 2)
    whole = ParallelSampler(student, precision=precision).sample(context, lengths, generator=seeded())
    sampler = ParallelSampler(student, precision=precision, num_threads=num_threads)
    for block_samples in (None, 7, 4096) if num_threads < 3 else (1000,):
        blocks = list(sampler.stream(context, num_samples, generator=seeded(), block_samples=block_samples))
        assert {block.shape[1] for block in blocks[:-1]} <= {block_samples or parallel.STREAM_SAMPLES}
        assert torch.equal(torch.cat(blocks, 1), whole)


def test_a_stream_of_single_samples(student, make_float_context):
    sampler, context = ParallelSampler(student), make_float_context(1, 50)
    blocks = list(sampler.stream(context, 199, generator=seeded(), block_samples=1))
    assert len(blocks) == 199
    assert torch.equal(torch.cat(blocks, 1), sampler.sample(context, torch.tensor([199]), generator=seeded()))


def test_a_stream_looks_one_frame_ahead(student, make_float_context):
    context = make_float_context(1, 100)
    changed = SpeechContext(features=context["features"].clone())
    changed["features"][..., 60:] += 1.0
    first, second = (
        torch.cat(list(ParallelSampler(student).stream(each, 400, generator=seeded())), 1)
        for each in (context, changed)
    )
    differs = (first != second)[0].nonzero()[0].item()
    assert 59 * 4 <= differs < 60 * 4


@pytest.mark.filterwarnings("ignore:the student runs in PyTorch")
def test_the_plain_form_has_the_same_noise(student, make_float_context):
    context, num_samples = make_float_context(1, 1250), 5000
    compiled = ParallelSampler(student).sample(context, torch.tensor([num_samples]), generator=seeded())
    hook = student.steps[0].conditioner.input.register_forward_hook(lambda module, inputs, output: None)
    sampler = ParallelSampler(student)
    plain = sampler.sample(context, torch.tensor([num_samples]), generator=seeded())
    blocks = list(sampler.stream(context, num_samples, generator=seeded(), block_samples=999))
    hook.remove()
    torch.testing.assert_close(plain, compiled, rtol=0, atol=1e-5)
    assert torch.equal(torch.cat(blocks, 1), plain)


def test_what_the_engine_cannot_run_is_named_once(make_student, make_context):
    sampler = ParallelSampler(make_student())
    with pytest.warns(UserWarning, match=r"PyTorch.*conditioner.*float64") as caught:
        sampler.sample(make_context(1, 5), torch.tensor([20]))
        list(sampler.stream(make_context(1, 5), 20))
    assert len(caught) == 1


def test_what_the_engine_runs_is_not_warned_of(student, make_float_context):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spoken = ParallelSampler(student).sample(make_float_context(1, 5), torch.tensor([20]))
    assert spoken.shape == (1, 20) and spoken.std() > 0


def test_weights_that_change_are_read_again(student, make_float_context):
    sampler, context = ParallelSampler(student), make_float_context(1, 5)
    before = sampler.sample(context, torch.tensor([20]), generator=seeded())
    with torch.no_grad():
        student.steps[0].conditioner.output[3].bias.data[0] += 0.5
    after = sampler.sample(context, torch.tensor([20]), generator=seeded())
    assert not torch.equal(before, after)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(student, make_float_context, value):
    with torch.no_grad():
        student.steps[1].conditioner.layers[0].dilated.weight[0, 0, 0] = value
    with pytest.raises(UserError, match=r"conditioner\.layers\.0\.dilated\.weight"):
        ParallelSampler(student).sample(make_float_context(1, 5), torch.tensor([20]))
    with pytest.raises(UserError, match=r"conditioner\.layers\.0\.dilated\.weight"):
        ParallelSampler(student).stream(make_float_context(1, 5), 20)


def test_arguments_out_of_range_are_refused(student, make_float_context):
    with pytest.raises(UserError, match="precision.*float16"):
        ParallelSampler(student, precision="float16")
    with pytest.raises(UserError, match="num_threads"):
        ParallelSampler(student, num_threads=0)
    sampler = ParallelSampler(student)
    with pytest.raises(UserError, match="num_samples"):
        sampler.stream(make_float_context(1, 5), 0)
    with pytest.raises(UserError, match="block_samples"):
        sampler.stream(make_float_context(1, 5), 20, block_samples=0)
    with pytest.raises(UserError, match="covers 20 samples"):
        next(sampler.stream(make_float_context(1, 5), 21))


def test_a_stream_closed_early_frees_its_buffers(student, make_float_context):
    context = make_float_context(1, 1000)
    sampler = ParallelSampler(student)
    next(sampler.stream(context, 4000))  # compiled, imported, cached
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        stream = sampler.stream(context, 4000)
        next(stream)
        held = tracemalloc.get_traced_memory()[0] - before
        stream.close()
        gc.collect()
        left = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert held > 500_000 and left < held / 20
    assert list(stream) == []


def test_memory_does_not_grow_with_the_length(student, make_float_context):
    sampler = ParallelSampler(student)

    def peak(num_samples):
        context = make_float_context(1, num_samples // 4)
        for _ in sampler.stream(context, 200):
            pass
        gc.collect()
        tracemalloc.start()
        for _ in sampler.stream(context, num_samples):
            pass
        result = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return result

    # Noise alone, were it kept, would take four bytes a sample.
    assert peak(80_000) - peak(10_000) < 140_000


def test_the_voice_of_a_source_filter_model_streams(make_source_filter, speech_context):
    voice, context = make_source_filter(4).float().voice, speech_context(2, 1300).to(torch.float32)
    sampler, num_samples = ParallelSampler(voice, precision="auto"), 5199
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = sampler.sample(context, torch.tensor([num_samples] * 2), generator=seeded())
    noise = NoiseWindows(voice, 2, num_samples, seeded(), 1.0)
    with torch.no_grad():
        drawn = torch.cat(list(noise.blocks(4096)), 1)
        expected, _ = voice.rsample_with_conditionals(drawn, context)
    assert (whole - expected).abs().max() < 1e-5 * expected.abs().max()
    for block_samples in (None, 999):
        blocks = list(sampler.stream(context, num_samples, generator=seeded(), block_samples=block_samples))
        assert torch.equal(torch.cat(blocks, 1), whole)


def test_a_voice_that_the_engine_cannot_run_speaks_in_pytorch(make_source_filter, speech_context):
    voice, context = make_source_filter(4).voice, speech_context(1, 10)  # in float64
    with pytest.warns(UserWarning, match=r"PyTorch.*float64"):
        spoken = ParallelSampler(voice).sample(context, torch.tensor([40]), generator=seeded())
    with torch.no_grad():
        expected, _ = voice.rsample_with_conditionals(voice.noise((1, 40), seeded()), context)
    assert torch.equal(spoken, expected)


@pytest.mark.parametrize("context_lies_there", [True, False])
def test_a_student_on_another_device_speaks_there_as_on_the_cpu(
    device, student, make_float_context, context_lies_there
):
    """Without a warning: whoever moved it wants it to compute there."""
    context, lengths = make_float_context(2, 5), torch.tensor([20, 12])
    expected = ParallelSampler(student).sample(context, lengths, generator=seeded(3))
    sampler = ParallelSampler(student.to(device), precision="auto")
    given = context.to(device) if context_lies_there else context
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spoken = sampler.sample(given, lengths, generator=seeded(3))
        blocks = list(sampler.stream(given, 20, generator=seeded(3), block_samples=7))
    assert spoken.device == device and {block.device for block in blocks} == {device}
    torch.testing.assert_close(spoken.cpu(), expected, rtol=0, atol=1e-5)
    assert torch.equal(torch.cat(blocks, 1)[0], spoken[0]) and sampler.precision == "float32"
    assert sampler.sample(given, torch.zeros(2, dtype=torch.int64)).device == device


def test_a_voice_on_another_device_speaks_there_as_on_the_cpu(device, make_source_filter, speech_context):
    voice, context = make_source_filter().float().voice, speech_context(1, 8).to(torch.float32)
    expected = ParallelSampler(voice).sample(context, torch.tensor([300]), generator=seeded(3))
    spoken = ParallelSampler(voice.to(device)).sample(context, torch.tensor([300]), generator=seeded(3))
    assert spoken.device == device
    torch.testing.assert_close(spoken.cpu(), expected, rtol=0, atol=1e-4)


def test_rounded_products_are_refused_where_there_is_no_engine(device, student):
    with pytest.raises(UserError, match=f"bfloat16 is for the CPU's engine, but the student is on {device}"):
        ParallelSampler(student.to(device), precision="bfloat16")
