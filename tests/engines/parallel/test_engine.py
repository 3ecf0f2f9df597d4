import functools
import gc
import weakref

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.distributions.logistic import Logistic
from wavegen.distributions.normal import Normal
from wavegen.engines.conditioning_windows import Unsupported
from wavegen.engines.parallel.engine import StudentEngine
from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.student import WaveNetStudent
from wavegen.nets.conditioning import (
    FrameConditioning,
    GlobalConditioning,
    GlottalPhase,
    LearnedUpsampling,
    SharedUpsampling,
)
from wavegen.nets.wavenet import WaveNet

HOP = 4  # a window of 32 frames is 128 samples


def student_of(nets, parts=(), family=Logistic):
    """Weights large enough for gates to bend and small enough for a chain of flows to stay finite."""
    wavenets = [functools.partial(WaveNet, conditioning=[part() for part in parts], **net) for net in nets]
    student = WaveNetStudent(wavenets=wavenets, family=family, hop_samples=HOP)
    with torch.no_grad():
        for name, parameter in student.named_parameters():
            if "upsampling" not in name:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return student.requires_grad_(False)


def net(dilations=(1, 2, 4), kernel_size=3, residual=16, half=16, skips=0, hidden=16, gain=1.0):
    return {
        "dilations": dilations,
        "kernel_size": kernel_size,
        "residual_channels": residual,
        "gate_channels": 2 * half,
        "skip_channels": skips,
        "output_channels": hidden,
        "input_gain": gain,
    }


def frames(upsampling):
    return functools.partial(
        FrameConditioning,
        in_channels=3,
        channels=5,
        hidden_channels=4,
        hop_samples=HOP,
        upsampling=upsampling,
    )


PARTS = {
    "shared": frames(SharedUpsampling),
    "learned": frames(LearnedUpsampling),
    "phase": functools.partial(GlottalPhase, hop_samples=HOP),
    "speaker": functools.partial(GlobalConditioning, num_classes=3, channels=2),
}


def context_of(batch, num_frames):
    return SpeechContext(
        features=torch.randn(batch, 3, num_frames),
        cycles=(0.3 * torch.rand(batch, num_frames)).cumsum(-1),
        voiced=(torch.rand(batch, num_frames) > 0.3).float(),
        speaker=torch.randint(3, (batch,)),
    )


def spoken(student, context, noise, lengths=None, pieces=None, **options):
    engine = StudentEngine(student, **options).start(context, lengths or [noise.shape[1]] * len(noise))
    try:
        return torch.cat([engine.advance(piece) for piece in noise.split(pieces or noise.shape[1], 1)], 1)
    finally:
        engine.close()


def largest_error(student, context, noise, **options):
    """Against the student's own pass, relative to the largest sample."""
    expected, _ = student.rsample_with_conditionals(noise, context)
    return ((spoken(student, context, noise, **options) - expected).abs().max() / expected.abs().max()).item()


NETS = st.builds(
    net,
    dilations=st.lists(st.integers(1, 40), min_size=1, max_size=3).map(tuple),
    kernel_size=st.integers(1, 4),
    residual=st.integers(1, 50),
    half=st.integers(1, 40),
    skips=st.sampled_from([0, 0, 1, 17, 40]),
    hidden=st.integers(1, 40),
    gain=st.sampled_from([1.0, 5.0]),
)


@settings(max_examples=40)
@given(
    nets=st.lists(NETS, min_size=1, max_size=3),
    parts=st.lists(st.sampled_from(sorted(PARTS)), max_size=3),
    family=st.sampled_from([Logistic, Normal]),
    batch=st.integers(1, 2),
    num_samples=st.integers(1, 300),
    num_threads=st.integers(1, 3),
    block=st.sampled_from([None, 5, 60]),
)
def test_it_is_the_students_map_at_every_shape(nets, parts, family, batch, num_samples, num_threads, block):
    torch.manual_seed(num_samples)
    student = student_of(nets, [PARTS[part] for part in parts], family)
    noise = student.noise((batch, num_samples))
    context = context_of(batch, -(-num_samples // HOP))
    options = {"num_threads": num_threads, "block_samples": block}
    assert largest_error(student, context, noise, **options) < 1e-4


def test_the_past_is_kept_when_the_inputs_are_moved_to_the_front():
    student = student_of([net(dilations=(1, 300, 700)), net(dilations=(512,), kernel_size=2)])
    noise = student.noise((1, 5000))  # more than twice the engine's room
    assert largest_error(student, None, noise, num_threads=2) < 1e-4


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_same_bits_for_any_threads_blocks_and_pieces(precision):
    student = student_of([net(skips=8), net(dilations=(8, 1), residual=33)], PARTS.values())
    noise, context = student.noise((2, 400)), context_of(2, 100)
    speak = functools.partial(spoken, student, context, noise, precision=precision)
    expected = speak(num_threads=1)
    for num_threads, block, pieces in ((1, 1, 400), (1, 13, 7), (2, None, 1), (2, 64, 130), (3, 36, 4096)):
        result = speak(num_threads=num_threads, block_samples=block, pieces=pieces)
        assert torch.equal(result, expected), (num_threads, block, pieces)


def test_unequal_lengths_are_spoken_as_alone_and_end_in_zeros():
    student = student_of([net(), net()], [PARTS["shared"], PARTS["phase"]])
    context, noise, lengths = context_of(3, 100), student.noise((3, 400)), [130, 400, 7]
    result = spoken(student, context, noise, lengths, num_threads=2)
    expected, _ = student.rsample_with_conditionals(noise, context)
    for row, length in enumerate(lengths):
        torch.testing.assert_close(result[row, :length], expected[row, :length], rtol=0, atol=1e-5)
        assert not result[row, length:].any()


def test_bfloat16_is_within_a_hundredth():
    student = student_of([net(residual=64, half=64)] * 2, [PARTS["shared"], PARTS["learned"]])
    noise, context = student.noise((1, 1000)), context_of(1, 250)
    expected, _ = student.rsample_with_conditionals(noise, context)
    result = spoken(student, context, noise, precision="bfloat16")
    assert not torch.equal(result, spoken(student, context, noise))
    # measured: 0.005 of the waveform's standard deviation, with these large weights
    assert (result - expected).std() < 0.01 * expected.std()


def test_autocast_and_gradients_leave_it_alone():
    student = student_of([net()], [PARTS["shared"]]).requires_grad_(True)
    noise, context = student.noise((1, 100)), context_of(1, 25)
    expected = spoken(student, context, noise)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(spoken(student, context, noise), expected)
    assert not expected.requires_grad


class Louder(torch.nn.Conv1d):
    def forward(self, x):
        return 2 * super().forward(x)


def _subclassed(student):
    conditioner = student.steps[1].conditioner
    conditioner.layers[0].dilated = Louder(16, 32, 3)


def _weight_norm(student):
    torch.nn.utils.parametrizations.weight_norm(student.steps[0].conditioner.layers[2].output)


def _hooked(student):
    student.steps[0].conditioner.output[1].register_forward_hook(lambda module, inputs, output: 2 * output)


def _other_activation(student):
    student.steps[0].conditioner.output[0] = torch.nn.ReLU()


@pytest.mark.parametrize(
    "change, named",
    [
        (_subclassed, r"conditioner\.layers\.0\.dilated is a Louder"),
        (_weight_norm, r"conditioner\.layers\.2\.output is a ParametrizedConv1d"),
        (_hooked, r"conditioner\.output\.1 has forward hooks"),
        (_other_activation, r"conditioner\.output\.0 is a ReLU"),
        (lambda student: student.double(), "is float64"),
    ],
)
def test_what_it_cannot_run_is_named(change, named):
    student = student_of([net(), net()])
    change(student)
    with pytest.raises(Unsupported, match=named):
        StudentEngine(student)


def test_dropped_inputs_are_not_passed_over():
    student = student_of([{**net(), "input_dropout": 0.5}])
    with pytest.raises(Unsupported, match="input_dropout drops inputs"):
        StudentEngine(student.train())
    assert largest_error(student.eval(), None, student.noise((1, 50))) < 1e-4


def voiced_student_of(nets, parts, source_filter):
    """A student with the voice of a source-filter model behind its flows."""
    wavenets = [functools.partial(WaveNet, conditioning=[part() for part in parts], **net) for net in nets]
    voice = [source_filter.float().filter, source_filter.mixture]
    student = WaveNetStudent(wavenets=wavenets, family=Logistic, hop_samples=HOP, voice=voice)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return student.requires_grad_(False)


def test_a_voice_behind_the_flows_is_spoken_too(make_source_filter):
    """Windows of the flows are of 32 frames, those of the voice of 256."""
    parts = [PARTS["shared"], PARTS["phase"]]
    student = voiced_student_of([net(), net()], parts, make_source_filter(HOP, 3))
    noise, context = student.noise((2, 1300)), context_of(2, 330)
    assert largest_error(student, context, noise) < 1e-4
    speak = functools.partial(spoken, student, context, noise)
    expected = speak(num_threads=1)
    for num_threads, pieces in ((1, 7), (2, 1300), (3, 1025)):
        assert torch.equal(speak(num_threads=num_threads, pieces=pieces), expected)
    shorter = spoken(student, context, noise[:, :900], [900, 130], num_threads=2)
    torch.testing.assert_close(shorter[0], expected[0, :900], rtol=0, atol=1e-5)
    torch.testing.assert_close(shorter[1, :130], expected[1, :130], rtol=0, atol=1e-5)
    assert not shorter[1, 130:].any()


def test_a_context_that_does_not_fit_is_refused():
    student = student_of([net()], [PARTS["shared"]])
    with pytest.raises(UserError, match="batch of 2, expected 1"):
        StudentEngine(student).start(context_of(2, 5), [20])
    with pytest.raises(UserError, match="covers 20 samples"):
        StudentEngine(student).start(context_of(1, 5), [21]).advance(torch.zeros(1, 21))


def test_closing_ends_the_threads_and_frees_the_buffers():
    student = student_of([net()], [PARTS["shared"]])
    engine = StudentEngine(student, num_threads=2).start(context_of(1, 100), [400])
    engine.advance(student.noise((1, 50)))
    buffers = weakref.ref(engine._utterances[0].speech.inputs)
    threads = list(engine._threads._threads)
    assert buffers() is not None and all(thread.is_alive() for thread in threads)
    engine.close()
    gc.collect()
    assert buffers() is None and not any(thread.is_alive() for thread in threads)


def test_an_interrupt_while_threads_begin_leaves_nothing_hanging(monkeypatch):
    student = student_of([net()])
    engine = StudentEngine(student, num_threads=3).start(None, [400])
    submit, begun = engine._threads.submit, []

    def interrupted(*arguments):
        if len(begun) == 2:
            raise KeyboardInterrupt
        begun.append(submit(*arguments))
        return begun[-1]

    monkeypatch.setattr(engine._threads, "submit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        engine.advance(student.noise((1, 400)))
    assert all(future.done() for future in begun)  # two of three threads did not wait for the third
    engine.close()
