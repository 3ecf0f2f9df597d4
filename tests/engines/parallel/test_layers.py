import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from numba import njit

from wavegen.engines.parallel.layers import add_panel, lift, speak
from wavegen.engines.parallel.tables import COLUMNS
from wavegen.engines.vector.panels import PANEL

one_utterance = runpy.run_path(str(Path(__file__).with_name("one_utterance.py")))
small_student, begin = one_utterance["small_student"], one_utterance["begin"]


@njit
def _lift(net, speech, scratch, flow, at, count, target):
    lift(net, net.flows[flow], speech, scratch, flow, at, count, target)


@njit
def _speak(net, speech, scratch, flow, at, count):
    speak(net, net.flows[flow], speech, scratch, flow, at, count)


@njit
def _add_panel(weights, w, inputs, x, offsets, o, rows, sums, s, stride):
    add_panel(weights, w, inputs, x, offsets, o, rows, sums, s, stride)


def test_a_panel_meets_every_column():
    rng = np.random.default_rng(0)
    rows, row, stride = 6, 9, PANEL + 1
    weights = rng.standard_normal(3 + rows * PANEL).astype(np.float32)
    inputs = rng.standard_normal(2 + COLUMNS * row).astype(np.float32)
    sums = rng.standard_normal(1 + COLUMNS * stride).astype(np.float32)
    seen = inputs[2:].reshape(COLUMNS, row)[:, :rows].astype(np.float64)
    expected = sums.astype(np.float64)
    expected[1:].reshape(COLUMNS, stride)[:, :PANEL] += seen @ weights[3:].reshape(rows, PANEL)
    offsets = np.concatenate([[-1], np.arange(COLUMNS) * row]).astype(np.intp)
    _add_panel(weights, 3, inputs, 2, offsets, 1, rows, sums, 1, stride)
    np.testing.assert_allclose(sums, expected, rtol=1e-5, atol=1e-5)


def test_samples_are_lifted_onto_the_stream_and_the_first_layers_inputs():
    student = small_student()
    state, wavenet = begin(student), student.steps[1].conditioner
    scratch, speech, count, at, flow = state.make_scratch(), state.speech, 5, 3, 1
    scratch.stream[:] = 9
    speech.lines[flow] = np.random.default_rng(0).standard_normal(speech.lines.shape[1])
    net = state.packed.net
    table = net.flows[flow]
    target = int(net.layers[table["first_layer"]]["inputs"])
    _lift(net, speech, scratch, flow, at, count, target)
    x = torch.from_numpy(speech.lines[flow, at : at + count])
    expected = wavenet.input(2.0 * x[None, None])[0].T
    stream = scratch.stream[: count * (table["width"] + table["skips"])].reshape(count, -1)
    np.testing.assert_allclose(stream[:, :5], expected, rtol=1e-6, atol=1e-6)
    assert not stream[:, 5:].any(), "padding and the sum of skips"
    inputs = speech.inputs[target : target + count * table["row"]].reshape(count, -1)
    assert np.array_equal(inputs, stream[:, : table["row"]])


@pytest.mark.parametrize("skip_channels", [0, 4])
def test_a_line_is_spoken_by_the_output_net_and_the_affine_map(skip_channels):
    student = small_student(skip_channels=skip_channels)
    state, wavenet = begin(student), student.steps[0].conditioner
    scratch, speech, count, at = state.make_scratch(), state.speech, COLUMNS + 3, 2
    table = state.packed.net.flows[0]
    width, channels = int(table["width"]), skip_channels or 5
    row = width + int(table["skips"])
    rng = np.random.default_rng(0)
    speech.lines[0] = rng.standard_normal(speech.lines.shape[1])
    read = rng.standard_normal((count, channels)).astype(np.float32)
    first = width if skip_channels else 0
    scratch.stream[: count * row].reshape(count, row)[:, first : first + channels] = read
    _speak(state.packed.net, speech, scratch, 0, at, count)
    loc, log_scale = wavenet.output(torch.from_numpy(read.T.copy())[None])[0]
    x = torch.from_numpy(speech.lines[0, 1 + at : 1 + at + count])
    np.testing.assert_allclose(
        speech.lines[1, 1 + at : 1 + at + count], loc + x * log_scale.exp(), rtol=1e-5, atol=1e-5
    )
    assert not speech.lines[1, : 1 + at].any() and not speech.lines[1, 1 + at + count :].any()
