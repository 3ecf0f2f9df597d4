import pytest
import torch

from wavegen.benchmark.nets import check_sound, make_context, make_student, make_teacher
from wavegen.benchmark.plain import PlainWaveNet
from wavegen.errors import UserError


def test_nets_have_the_shapes_asked_for(small_config):
    teacher = make_teacher(small_config["teacher"], small_config["conditioning"], seed=0)
    assert (len(teacher.conditioner.layers), teacher.head.num_components) == (3, 2)
    assert teacher.conditioner.conditioning.channels == 4 and not teacher.training
    student = make_student(small_config["student"], small_config["conditioning"], seed=0)
    assert [len(step.conditioner.layers) for step in student.steps] == [2, 3]


def test_a_seed_gives_the_same_weights_in_either_form_and_leaves_the_generator_alone(small_config):
    before = torch.get_rng_state()
    for make, shape in ((make_teacher, "teacher"), (make_student, "student")):
        nets = [
            make(small_config[shape], small_config["conditioning"], seed=seed, **options)
            for seed, options in ((0, {}), (0, {"wavenet": PlainWaveNet}), (1, {}))
        ]
        first, plain, other = (torch.nn.utils.parameters_to_vector(net.parameters()) for net in nets)
        assert torch.equal(first, plain) and not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state())


def test_context_covers_the_samples(small_config):
    context = make_context(small_config["conditioning"], 17, batch_size=2)
    assert context["features"].shape == (2, 4, 4)  # three frames of 8 samples, one of lookahead


@pytest.mark.parametrize("waveform", [torch.tensor([0.1, float("nan")]), torch.zeros(5)])
def test_what_is_no_sound_is_refused(waveform):
    with pytest.raises(UserError, match="the silent one made a waveform that is not finite or is constant"):
        check_sound(waveform, "the silent one")
    sound = torch.tensor([0.1, -0.1])
    assert check_sound(sound, "sound") is sound
