import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from wavegen.engines.conditioning_windows import Unsupported
from wavegen.engines.parallel.packed import PackedStudent
from wavegen.engines.parallel.tables import COLUMNS
from wavegen.engines.vector.panels import PANEL, gate_order, take
from wavegen.nets.conditioning import FrameConditioning, GlobalConditioning, SharedUpsampling

one_utterance = runpy.run_path(str(Path(__file__).with_name("one_utterance.py")))
small_student = one_utterance["small_student"]


def packed_of(student, precision="float32", capacity=64):
    return PackedStudent(student, precision=precision, capacity=capacity)


def frame_part(hop_samples=4):
    return FrameConditioning(
        in_channels=3, channels=2, hidden_channels=4, hop_samples=hop_samples, upsampling=SharedUpsampling
    )


def test_inputs_of_all_layers_have_room_for_their_past_and_lie_apart():
    packed = packed_of(small_student(), capacity=100)
    row = int(packed.net.flows[0]["row"])
    sizes = [(past + 100 + COLUMNS) * row for past in packed.net.layers["past"].tolist()]
    assert packed.net.layers["inputs"].tolist() == [0, *np.cumsum(sizes)[:-1]]
    assert packed.inputs_size == sum(sizes)


def test_gates_are_packed_tap_by_tap_in_panels():
    student = small_student()
    packed = packed_of(student)
    for index, layer in enumerate(student.steps[1].conditioner.layers):
        place = packed.net.layers[2 + index]["gates"]
        found = packed.net.weights[place : place + 3 * 5 * PANEL].reshape(3, 5, PANEL)
        expected = take(layer.dilated.weight, gate_order(3))  # (outputs, inputs, taps)
        assert np.array_equal(found.transpose(2, 1, 0), expected)


def test_the_lift_carries_the_gain_and_the_biases_behind_it():
    student = small_student()
    packed = packed_of(student)
    table, wavenet = packed.net.flows[0], student.steps[0].conditioner
    weight, bias = packed.net.fine[table["lift"] :][: 2 * PANEL].reshape(2, PANEL)
    np.testing.assert_array_equal(weight[:5], 2 * wavenet.input.weight[:, 0, 0].numpy())
    np.testing.assert_array_equal(bias[:5], wavenet.input.bias.numpy())
    assert not weight[5:].any() and not bias[5:].any()


def test_starts_are_biases_and_what_is_constant():
    student = small_student(conditioning=[GlobalConditioning(num_classes=3, channels=2)])
    packed = packed_of(student)
    starts, constants = np.zeros(packed.starts_size, np.float32), torch.randn(2)
    for flow in packed.flows:
        flow.write_starts(constants, starts)
    order = gate_order(3)
    layers = [layer for step in student.steps for layer in step.conditioner.layers]
    for place, layer in zip(packed.net.layers["start"], layers, strict=True):
        expected = layer.dilated.bias + layer.conditioning.weight[..., 0] @ constants
        np.testing.assert_allclose(starts[place : place + PANEL], take(expected, order), rtol=1e-5, atol=1e-6)


def test_frames_of_a_window_are_projected_for_every_layer():
    student = small_student(num_flows=1, conditioning=[frame_part()])
    packed = packed_of(student)
    (flow,) = packed.flows
    assert packed.hop_samples == 4
    projected, side = np.zeros(packed.frames_size, np.float32), np.zeros(packed.side_size, np.float32)
    frames = torch.randn(6, 2)
    flow.write_window(torch.zeros(16, 0), frames, side, projected)
    found = projected[: 6 * 2 * PANEL].reshape(6, 2, PANEL)
    for index, layer in enumerate(student.steps[0].conditioner.layers):
        expected = frames @ layer.conditioning.weight[..., 0].T
        np.testing.assert_allclose(found[:, index], take(expected.T, gate_order(3)).T, rtol=1e-5, atol=1e-6)


def test_words_take_half_the_elements():
    student = small_student()
    whole, words = packed_of(student), packed_of(student, "bfloat16")
    assert (whole.element, words.element) == (np.float32, np.int32)
    assert 2 * words.inputs_size == whole.inputs_size
    assert words.net.fine.dtype == np.float32


def test_flows_of_other_frames_are_named():
    student = small_student(conditioning=[frame_part(4)])
    student.steps[1].conditioner.conditioning.parts[0] = frame_part(5).requires_grad_(False)
    with pytest.raises(Unsupported, match=r"the flows differ in samples per frame: \[4, 5\]"):
        packed_of(student)
