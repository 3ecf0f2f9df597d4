import copy
import functools

import pytest
import torch
from torch import nn

from wavegen.distributions.heads import LogisticMixtureHead
from wavegen.distributions.normal import Normal
from wavegen.engines.conditioning_windows import Unsupported
from wavegen.engines.supported_models import (
    check_finite,
    check_float32,
    check_settings,
    check_speaker,
    check_student,
    check_teacher,
)
from wavegen.errors import UserError
from wavegen.models.speech.student import WaveNetStudent
from wavegen.nets.wavenet import WaveNet


@pytest.fixture
def teacher(make_teacher):
    return make_teacher(LogisticMixtureHead(2, -9.0), linear_prediction_order=3).float()


@pytest.fixture
def student(make_student):
    return make_student().float()


def test_what_is_made_of_the_projects_own_layers_passes(teacher, student):
    check_teacher(teacher)
    check_student(student)
    check_finite(teacher)
    check_settings("float32", None)
    check_settings("bfloat16", 1)


def test_a_teacher_of_the_excitation_passes_if_its_head_maps_the_parameters(make_teacher, make_source_filter):
    teacher = make_teacher(LogisticMixtureHead(2, -9.0), source_filter=make_source_filter(4, 3)).float()
    check_teacher(teacher)
    check_teacher(copy.deepcopy(teacher))
    teacher.conditioner.affine = LogisticMixtureHead(2, -9.0).affine
    with pytest.raises(Unsupported, match="^conditioner.affine is not the method of the head$"):
        check_teacher(teacher)
    teacher.conditioner.wavenet.output[2].negative_slope = 0.1
    teacher.conditioner.affine = teacher.head.affine
    with pytest.raises(Unsupported, match="^conditioner.wavenet.output.2 has the slope 0.1$"):
        check_teacher(teacher)


@pytest.fixture
def source_filter(make_source_filter):
    return make_source_filter().float()


def test_a_source_filter_voice_passes_alone_and_behind_flows(source_filter):
    check_speaker(source_filter.voice)
    wavenet = functools.partial(
        WaveNet, dilations=[1], residual_channels=2, gate_channels=2, skip_channels=0, output_channels=2
    )
    voice = [source_filter.filter, source_filter.mixture]
    student = WaveNetStudent(wavenets=[wavenet], family=Normal, hop_samples=40, voice=voice)
    check_speaker(student)
    student.voice.members[1].hop_samples = 20
    with pytest.raises(Unsupported, match=r"members.0 has 40 samples per frame, .*members.1 has 20$"):
        check_speaker(student)


def test_other_voices_are_named(source_filter):
    with pytest.raises(
        Unsupported, match="^bijection is made of LinearPrediction, LongTermPrediction, PulseSource, not"
    ):
        check_speaker(source_filter.density)
    with pytest.raises(Unsupported, match=r"weight is float64$"):
        check_speaker(source_filter.double().voice)
    source_filter.float().mixture.parameter_source.hidden[0].p = 0.1
    check_speaker(source_filter.voice.eval())
    with pytest.raises(Unsupported, match=r"members.1.parameter_source.hidden.0 drops inputs while training"):
        check_speaker(source_filter.voice.train())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_none_is_named_with_its_count(teacher, value):
    with torch.no_grad():
        teacher.conditioner.taps[1:] = value
    with pytest.raises(
        UserError, match=r"2 of the elements of 'conditioner.taps', of shape \(3,\), are NaN or"
    ):
        check_finite(teacher)


def test_buffers_count_and_whole_numbers_do_not():
    module = nn.Module()
    module.register_buffer("order", torch.arange(3))
    check_finite(module)
    module.register_buffer("scale", torch.tensor(float("inf")))
    with pytest.raises(UserError, match="1 of the elements of 'scale'"):
        check_finite(module)


def test_settings_that_there_are_not_are_named():
    with pytest.raises(UserError, match="precision must be one of float32, bfloat16, got 'float16'"):
        check_settings("float16", None, precisions=("float32", "bfloat16"))
    for number in (0, -1):
        with pytest.raises(UserError, match=f"num_threads must be at least 1, got {number}"):
            check_settings("float32", number)


def test_another_precision_is_named_with_the_first_parameter():
    net = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1).double())
    with pytest.raises(Unsupported, match="^1.weight is float64$"):
        check_float32(net)


class Sub(nn.Conv1d):
    """Might compute anything."""


def _kernel(wavenet):
    wavenet.input = nn.Conv1d(1, 4, 3)


def _subclass(wavenet):
    wavenet.layers[1].output = Sub(3, 4, 1)


def _hook(wavenet):
    wavenet.layers[0].dilated.register_forward_pre_hook(lambda module, inputs: None)


def _own_forward(wavenet):
    wavenet.output[3].forward = lambda x: x


def _slope(wavenet):
    wavenet.output[2].negative_slope = 0.1


def _longer(wavenet):
    wavenet.output.append(nn.Identity())


CHANGES = [
    (_kernel, "input has a kernel of 3"),
    (_subclass, "layers.1.output is a Sub"),
    (_hook, "layers.0.dilated has forward hooks"),
    (_own_forward, "output.3 has another forward than its class"),
    (_slope, "output.2 has the slope 0.1"),
    (_longer, "output has 5 layers"),
]


@pytest.mark.parametrize(("change", "named"), CHANGES)
def test_a_layer_that_may_compute_otherwise_is_named(teacher, student, change, named):
    change(teacher.conditioner.conditioner)
    with pytest.raises(Unsupported, match=f"^conditioner.conditioner.{named}$"):
        check_teacher(teacher)
    change(student.steps[1].conditioner)
    with pytest.raises(Unsupported, match=f"{named}$"):
        check_student(student)


def test_models_and_heads_of_other_types_are_named(teacher, student):
    teacher.head = type("OwnHead", (LogisticMixtureHead,), {})(2, -9.0)
    with pytest.raises(Unsupported, match="^head is a OwnHead$"):
        check_teacher(teacher)
    with pytest.raises(Unsupported, match="^the student is a Linear$"):
        check_student(nn.Linear(1, 1))
