"""The compiled engine is the model: equal parameters and equal speech over shapes, batches and threads."""

import functools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.distributions.heads import LogisticMixtureHead, MuLawHead, NormalHead
from wavegen.engines.conditioning_windows import Unsupported
from wavegen.engines.sequential import engine as teacher_engine
from wavegen.engines.sequential.engine import TeacherEngine
from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.teacher import WaveNetTeacher
from wavegen.nets.conditioning import (
    FrameConditioning,
    GlobalConditioning,
    GlottalPhase,
    LearnedUpsampling,
    SharedUpsampling,
)
from wavegen.nets.wavenet import WaveNet
from wavegen.synthesis.reference import ReferenceSampler


@pytest.fixture(autouse=True, scope="module")
def even_small_nets_are_shared():
    """By default one thread runs what fits into its cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teacher_engine, "_LEAST_BYTES_TO_SHARE", 0)
        yield


HOP = 4
FEATURES = 3


def frame_part(upsampling=SharedUpsampling):
    return FrameConditioning(
        in_channels=FEATURES, channels=5, hidden_channels=4, hop_samples=HOP, upsampling=upsampling
    )


PARTS = {
    "none": lambda: [],
    "frames": lambda: [frame_part()],
    "frames that do not commute": lambda: [frame_part(LearnedUpsampling)],
    "phase and frames": lambda: [GlottalPhase(hop_samples=HOP), frame_part()],
    "twice frames and speaker": lambda: [
        frame_part(),
        GlobalConditioning(num_classes=4, channels=3),
        frame_part(),
    ],
    "speaker": lambda: [GlobalConditioning(num_classes=4, channels=2)],
}
HEADS = {
    "mixture": lambda: LogisticMixtureHead(3, -6.0, initial_log_scale=-2.0),
    "normal": lambda: NormalHead(-6.0, initial_log_scale=-2.0),
    "mu-law": lambda: MuLawHead(32),
}


def make_teacher(head, parts=(), *, linear_prediction_order=0, source_filter=None, **sizes):
    wavenet = functools.partial(
        WaveNet,
        **{
            "dilations": [1, 2, 4],
            "kernel_size": 3,
            "residual_channels": 8,
            "gate_channels": 12,
            "skip_channels": 5,
            "output_channels": 9,
            "conditioning": parts,
            **sizes,
        },
    )
    teacher = WaveNetTeacher(
        head=head,
        wavenet=wavenet,
        linear_prediction_order=linear_prediction_order,
        source_filter=source_filter,
    )
    with torch.no_grad():
        for parameter in teacher.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return teacher.eval().requires_grad_(False)


def make_context(batch, num_samples):
    frames = -(-num_samples // HOP)
    return SpeechContext(
        features=torch.randn(batch, FEATURES, frames),
        cycles=torch.rand(batch, frames).cumsum(1),
        voiced=(torch.rand(batch, frames) > 0.3).float(),
        speaker=torch.randint(4, (batch,)),
    )


def net_of(teacher):
    return getattr(teacher.conditioner, "conditioner", teacher.conditioner)


@settings(max_examples=40)
@given(
    dilations=st.lists(st.sampled_from([1, 2, 3, 4, 7, 16, 40]), min_size=1, max_size=5),
    kernel_size=st.integers(1, 4),
    residual_channels=st.sampled_from([1, 7, 16, 33, 130]),
    half_gate_channels=st.sampled_from([1, 5, 16, 40, 72]),
    skip_channels=st.sampled_from([0, 1, 16, 20]),
    output_channels=st.sampled_from([1, 16, 30]),
    input_gain=st.sampled_from([1.0, 7.0]),
    parts=st.sampled_from(sorted(PARTS)),
    head=st.sampled_from(sorted(HEADS)),
    batch=st.integers(1, 6),
    num_samples=st.integers(1, 150),
    num_threads=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_parameters_are_the_models_own(
    kernel_size, half_gate_channels, parts, head, batch, num_samples, num_threads, seed, **sizes
):
    torch.manual_seed(seed)
    teacher = make_teacher(
        HEADS[head](),
        PARTS[parts](),
        kernel_size=kernel_size,
        gate_channels=2 * half_gate_channels,
        **sizes,
    )
    x, context = 0.3 * torch.randn(batch, num_samples), make_context(batch, num_samples)
    told = TeacherEngine(teacher, num_threads=num_threads).parameters(x, context)
    torch.testing.assert_close(told, net_of(teacher)(x, context), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("head", "order"), [("mixture", 5), ("normal", 0), ("mu-law", 0)])
def test_conditionals_are_the_models_own(head, order):
    teacher = make_teacher(HEADS[head](), PARTS["frames"](), linear_prediction_order=order)
    x, context = torch.randint(-3000, 3000, (2, 90)) / 32768, make_context(2, 90)
    expected = teacher.conditionals(x, context).log_prob(x)
    assert expected.std() > 0.1
    told = TeacherEngine(teacher).conditionals(x, context).log_prob(x)
    torch.testing.assert_close(told, expected, rtol=1e-4, atol=1e-3)


def test_a_thousand_teacher_forced_steps_of_the_issues_shape():
    """30 layers, 64/128/64 channels, kernel 3, ten logistics, 80 conditioning channels: within 1e-4."""
    part = FrameConditioning(
        in_channels=FEATURES, channels=80, hop_samples=120, upsampling=SharedUpsampling, hidden_channels=32
    )
    teacher = make_teacher(
        LogisticMixtureHead(10, -9.0),
        [part],
        dilations=[2 ** (i % 10) for i in range(30)],
        residual_channels=64,
        gate_channels=128,
        skip_channels=64,
        output_channels=64,
    )
    x, context = 0.1 * torch.randn(1, 1000), SpeechContext(features=torch.randn(1, FEATURES, 9))
    expected = net_of(teacher)(x, context)
    assert expected.std() > 0.3
    told = TeacherEngine(teacher).parameters(x, context)
    assert (told - expected).abs().max() < 1e-4
    rounded = TeacherEngine(teacher, precision="bfloat16").parameters(x, context)
    assert 1e-5 < (rounded - expected).abs().max() < 0.05 * expected.std()


@pytest.mark.parametrize("temperature", [1.0, 0.7, 0.0])
@pytest.mark.parametrize(
    ("head", "order"), [("mixture", 0), ("mixture", 5), ("normal", 0), ("normal", 5), ("mu-law", 0)]
)
def test_speaks_what_the_reference_speaks(head, order, temperature):
    """From the same uniforms, over several windows: 1e-4 is three steps of the grid."""
    teacher = make_teacher(HEADS[head](), PARTS["phase and frames"](), linear_prediction_order=order)
    lengths, context = torch.tensor([300, 180, 128, 7, 1]), make_context(5, 300)
    uniforms = torch.rand(2, 300, 5, generator=torch.Generator().manual_seed(3))
    spoken = TeacherEngine(teacher).speak(context, lengths, uniforms, temperature=temperature)
    reference = ReferenceSampler(teacher, temperature=temperature)
    expected = reference.sample(context, lengths, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(spoken, expected, rtol=0, atol=1e-4)
    assert temperature == 0 or expected.unique().numel() > 20
    for row, length in zip(spoken, lengths.tolist(), strict=True):
        assert not row[length:].any()


@pytest.fixture
def make_excited_teacher(make_source_filter):
    """A teacher of the excitation of a source-filter model with the given head and parts."""

    def make(head="mixture", parts="phase and frames", **sizes):
        source_filter = make_source_filter(HOP, FEATURES).float()
        return make_teacher(HEADS[head](), PARTS[parts](), source_filter=source_filter, **sizes)

    return make


@pytest.mark.parametrize("temperature", [1.0, 0.7, 0.0])
@pytest.mark.parametrize("parts", ["none", "phase and frames"])
@pytest.mark.parametrize("head", ["mixture", "normal"])
def test_an_excitation_is_spoken_as_by_the_reference(make_excited_teacher, head, parts, temperature):
    """Without conditioning of the net, its windows do not begin with frames of the source-filter model."""
    teacher = make_excited_teacher(head, parts)
    lengths, context = torch.tensor([300, 180, 128, 7, 1]), make_context(5, 300)
    uniforms = torch.rand(2, 300, 5, generator=torch.Generator().manual_seed(3))
    spoken = TeacherEngine(teacher).speak(context, lengths, uniforms, temperature=temperature)
    reference = ReferenceSampler(teacher, temperature=temperature)
    expected = reference.sample(context, lengths, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(spoken, expected, rtol=0, atol=1e-4)
    assert temperature == 0 or (expected.std() > 0.02 and expected.unique().numel() > 20)
    assert (spoken == expected).float().mean() > 0.98
    for row, length in zip(spoken, lengths.tolist(), strict=True):
        assert not row[length:].any()


@pytest.mark.parametrize("head", ["mixture", "normal"])
def test_conditionals_of_an_excitation_are_the_models_own(make_excited_teacher, head):
    teacher = make_excited_teacher(head)
    x, context = torch.randint(-3000, 3000, (2, 90)) / 32768, make_context(2, 90)
    expected = teacher.conditionals(x, context).log_prob(x)
    assert expected.std() > 0.1
    told = TeacherEngine(teacher).conditionals(x, context).log_prob(x)
    torch.testing.assert_close(told, expected, rtol=1e-4, atol=1e-3)
    rounded = TeacherEngine(teacher, precision="bfloat16").conditionals(x, context).log_prob(x)
    assert 1e-5 < (rounded - expected).abs().mean() < 0.01


def test_what_was_spoken_has_the_law_of_the_model(make_excited_teacher):
    """Over windows: the cumulative probabilities of what was spoken are uniform under the model itself."""
    teacher = make_excited_teacher("normal")
    context, uniforms = make_context(8, 600), torch.rand(2, 600, 8)
    spoken = TeacherEngine(teacher).speak(context, torch.tensor([600] * 8), uniforms)
    probability = teacher.conditionals(spoken, context).continuous.cdf(spoken)
    clipped = spoken.abs() > 0.999
    # of the uniforms that were drawn, to within the grid
    difference = (probability - uniforms[1].T)[~clipped]
    assert clipped.float().mean() < 0.01 and difference.abs().mean() < 0.002


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_threads_change_no_bit_of_an_excitation(make_excited_teacher, precision):
    teacher = make_excited_teacher()
    for batch in (1, 4):
        lengths = torch.arange(200, 200 - 17 * batch, -17)
        context, uniforms = make_context(batch, 200), torch.rand(2, 200, batch)
        first, *others = (
            TeacherEngine(teacher, precision=precision, num_threads=threads).speak(context, lengths, uniforms)
            for threads in (1, 2, 3)
        )
        for other in others:
            assert torch.equal(first, other)


def test_an_excitation_needs_a_context_that_is_long_enough(make_excited_teacher):
    engine = TeacherEngine(make_excited_teacher(parts="none"))
    lengths, uniforms = torch.tensor([41]), torch.rand(2, 41, 1)
    with pytest.raises(UserError, match="covers 40 samples"):
        engine.speak(make_context(1, 40), lengths, uniforms)
    with pytest.raises(UserError, match="'features' but got no context"):
        engine.speak(None, lengths, uniforms)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("batch", [1, 5])
def test_the_number_of_threads_changes_no_bit(batch, precision):
    teacher = make_teacher(HEADS["mixture"](), PARTS["phase and frames"]())
    lengths = torch.arange(200, 200 - 17 * batch, -17)
    context, uniforms = make_context(batch, 200), torch.rand(2, 200, batch)
    first, *others = (
        TeacherEngine(teacher, precision=precision, num_threads=threads).speak(context, lengths, uniforms)
        for threads in (1, 2, 3, 7)
    )
    for other in others:
        assert torch.equal(first, other)


def test_an_utterance_speaks_the_same_alone_and_in_company():
    teacher = make_teacher(HEADS["mixture"](), PARTS["twice frames and speaker"]())
    context, uniforms = make_context(4, 140), torch.rand(2, 140, 4)
    lengths = torch.tensor([140, 130, 60, 20])
    together = TeacherEngine(teacher).speak(context, lengths, uniforms)
    for row, length in enumerate(lengths.tolist()):
        alone = TeacherEngine(teacher).speak(
            context.select(torch.tensor([row])),
            lengths[row, None],
            uniforms[:, :length, row, None],
        )
        torch.testing.assert_close(together[row, None, :length], alone, rtol=0, atol=1e-4)


def test_a_mu_law_speaks_only_its_levels():
    teacher = make_teacher(HEADS["mu-law"]())
    spoken = TeacherEngine(teacher).speak(None, torch.tensor([200]), torch.rand(2, 200, 1))
    grid = teacher.head(torch.zeros(32)).grid
    assert np.isin(spoken.numpy(), grid.numpy()).all() and spoken.unique().numel() > 10


def break_layer(teacher):
    class Louder(type(teacher.conditioner.layers[1])):
        pass

    teacher.conditioner.layers[1].__class__ = Louder


def break_part(teacher):
    class Other(torch.nn.Module):
        channels = teacher.conditioner.conditioning.parts[0].channels

    teacher.conditioner.conditioning.parts[0] = Other()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (break_layer, r"conditioner\.layers\.1 is a Louder"),
        (break_part, r"conditioning\.parts\.0 is a Other"),
        (lambda teacher: teacher.double(), r"conditioner\.[a-z0-9_.]*weight is float64"),
        (lambda teacher: setattr(teacher, "head", torch.nn.Identity()), "head is a Identity"),
        (lambda teacher: setattr(teacher, "conditioner", torch.nn.Identity()), "conditioner is a Identity"),
        (
            lambda teacher: teacher.conditioner.output.__setitem__(0, torch.nn.Tanh()),
            r"conditioner\.output\.0 is a Tanh",
        ),
    ],
)
def test_what_cannot_be_run_is_named(change, named):
    teacher = make_teacher(HEADS["normal"](), [frame_part()])
    change(teacher)
    with pytest.raises(Unsupported, match=named):
        TeacherEngine(teacher)


def test_a_model_without_a_conditioner_is_named():
    with pytest.raises(Unsupported, match="the teacher is a Identity"):
        TeacherEngine(torch.nn.Identity())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(bad):
    teacher = make_teacher(HEADS["normal"]())
    teacher.conditioner.layers[2].dilated.weight[0, 1, 2] = bad
    with pytest.raises(UserError, match=r"1 of.*conditioner\.layers\.2\.dilated\.weight.*\(12, 8, 3\)"):
        TeacherEngine(teacher)


def test_speaks_in_full_precision_while_training_does_not():
    teacher = make_teacher(HEADS["mixture"](), [frame_part()])
    x, context = 0.3 * torch.randn(1, 60), make_context(1, 60)
    expected = net_of(teacher)(x, context)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        told = TeacherEngine(teacher).parameters(x, context)
    torch.testing.assert_close(told, expected, rtol=1e-5, atol=1e-5)


def test_other_precisions_and_short_contexts_are_refused():
    teacher = make_teacher(HEADS["normal"](), [frame_part()])
    with pytest.raises(UserError, match="precision must be one of float32, bfloat16, got 'float16'"):
        TeacherEngine(teacher, precision="float16")
    with pytest.raises(UserError, match="covers 40 samples"):
        TeacherEngine(teacher).parameters(torch.zeros(1, 41), make_context(1, 40))
