import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from wavegen.distributions.heads import LogisticMixtureHead, MuLawHead, NormalHead
from wavegen.engines.conditioning_windows import Unsupported
from wavegen.engines.sequential.packed import MIXTURE, MU_LAW, NORMAL, PackedTeacher, whole_vectors
from wavegen.engines.vector.panels import gate_order, take
from wavegen.engines.vector.tiles import BFLOAT16_WEIGHTS, FLOAT32
from wavegen.engines.vector.vector_code import LANES
from wavegen.errors import UserError

one_group = runpy.run_path(str(Path(__file__).with_name("one_group.py")))
small_teacher = one_group["small_teacher"]


def matrix_at(net, place, rows, width):
    """``(outputs, inputs)`` of a packed matrix of at most one panel."""
    return net.weights[place : place + rows * width].reshape(rows, width).T


def test_matrices_lie_where_their_places_say():
    teacher = small_teacher()
    packed, wavenet = PackedTeacher(teacher, FLOAT32), teacher.conditioner
    net, order = packed.net([]), gate_order(3)
    for index, layer in enumerate(wavenet.layers):
        gates = take(layer.dilated.weight, order)
        now = matrix_at(net, net.now[index], net.rows[0], 2 * net.gate_width)
        assert np.array_equal(now, gates[..., -1])
        for tap in range(2):
            place = net.past[index] + tap * net.rows[0] * 2 * net.gate_width
            assert np.array_equal(matrix_at(net, place, net.rows[0], 2 * net.gate_width), gates[..., tap])
        mixed = matrix_at(net, net.mix[index], net.rows[2], net.residual_width + net.skip_width)
        weight = layer.output.weight[..., 0].numpy()
        assert np.array_equal(mixed[:5], weight[:5]) and np.array_equal(mixed[16:20], weight[5:])
        assert not mixed[5:16].any() and not mixed[20:].any()
    for place, rows, layer in zip(net.output, net.rows[3:], wavenet.output[1::2], strict=True):
        found = matrix_at(net, place, rows, LANES)
        assert np.array_equal(found[: layer.out_channels], layer.weight[..., 0].numpy())
        assert not found[layer.out_channels :].any()


def test_widths_are_whole_vectors_and_what_is_padded_is_zero():
    teacher = small_teacher()
    net = PackedTeacher(teacher, FLOAT32).net([])
    widths = (net.residual_width, net.gate_width, net.skip_width, net.hidden_width, net.parameter_width)
    assert widths == (LANES,) * 5 and net.conditioning_width == 0
    wavenet = teacher.conditioner
    np.testing.assert_array_equal(net.lift_weight[:5], 2 * wavenet.input.weight[:, 0, 0].numpy())
    np.testing.assert_array_equal(net.output_bias[:2], wavenet.output[3].bias.numpy())
    assert not net.lift_weight[5:].any() and not net.lift_bias[5:].any() and not net.output_bias[2:].any()
    assert net.slope.tolist() == [np.float32(0.2)] * 2
    assert whole_vectors(3).tolist() == [0, 1, 2] + [-1] * 13


@pytest.mark.parametrize(
    ("head", "kind"),
    [(LogisticMixtureHead(2, -7.0), MIXTURE), (NormalHead(-5.0), NORMAL), (MuLawHead(8), MU_LAW)],
)
def test_the_head_is_told_in_numbers(head, kind):
    net = PackedTeacher(small_teacher(head), FLOAT32).net([])
    assert net.head == kind
    if kind == MU_LAW:
        np.testing.assert_allclose(net.levels, head(torch.zeros(8)).grid.numpy(), rtol=1e-6)
    else:
        assert (net.min_log_scale, net.step) == (head.min_log_scale, head.step)
        assert (net.low, net.high) == (head.low, head.high)
    assert net.num_components == (2 if kind == MIXTURE else 1)


def test_a_linear_predictor_is_taken_along_and_the_net_behind_it_packed():
    teacher = small_teacher(linear_prediction_order=4)
    packed = PackedTeacher(teacher, FLOAT32)
    assert np.array_equal(packed.net([]).prediction, teacher.conditioner.taps.numpy())
    assert packed.wavenet is teacher.conditioner.conditioner


def test_a_net_of_the_excitation_is_packed_without_its_source_filter_model(make_source_filter):
    plain = PackedTeacher(small_teacher(), FLOAT32)
    assert plain.excitation is None
    assert (plain.net([]).reads_excitation, plain.net([]).order) == (False, 0)
    teacher = small_teacher(source_filter=make_source_filter().float())
    packed = PackedTeacher(teacher, FLOAT32)
    net = packed.net([])
    assert packed.excitation is teacher.conditioner and packed.wavenet is teacher.conditioner.wavenet
    filter, long_term = (getattr(teacher.source_filter, name) for name in ("filter", "long_term"))
    reached = filter.order + long_term.order
    assert (net.reads_excitation, net.order, len(net.prediction)) == (True, reached, 0)


def test_conditioning_at_sample_rate_is_packed_column_by_column(make_teacher):
    teacher = make_teacher(NormalHead(-6.0)).float().requires_grad_(False)
    packed = PackedTeacher(teacher, FLOAT32)
    net = packed.net([1])
    assert net.conditioning_width == LANES and net.rows[1] == 1
    for index, layer in enumerate(teacher.conditioner.layers):
        found = matrix_at(net, net.conditioning[index], 1, 2 * net.gate_width)
        assert np.array_equal(found, take(layer.conditioning.weight, gate_order(3))[:, 1:2, 0])


def test_rounded_weights_take_half_the_memory():
    teacher = small_teacher()
    whole, rounded = (PackedTeacher(teacher, precision).net([]) for precision in (FLOAT32, BFLOAT16_WEIGHTS))
    assert rounded.weights.dtype == np.int32 and whole.weights.dtype == np.float32
    assert rounded.weights.nbytes < 0.7 * whole.weights.nbytes


def test_what_cannot_be_packed_is_named():
    with pytest.raises(Unsupported, match="is float64"):
        PackedTeacher(small_teacher().double(), FLOAT32)
    teacher = small_teacher()
    teacher.conditioner.layers[2].dilated.bias[0] = float("nan")
    with pytest.raises(UserError, match="1 of the elements of 'conditioner.layers.2.dilated.bias'"):
        PackedTeacher(teacher, FLOAT32)
