"""The compiled loop of ``TeacherEngine``: computes one sample after another, all columns together.

A column is an utterance. In a dilated convolution only the newest tap needs the newest sample. All other taps
and the conditioning are summed in advance, for as many samples at once as the dilation allows, as products
with many columns. This halves the work between one sample and the next, and avoids the memory traffic of
products with a single column. Layers can be split into *stages*, each with its own thread: a sample passes
through the stages one after the other, and a stage sums its past while another one computes the sample.
Compiled by Numba at first use (some ten seconds) and cached on disk.
"""

import numpy as np
from numba import njit

from wavegen.compiled.compiled_sources import cached_on_disk
from wavegen.engines.sequential.drawing import draw
from wavegen.engines.signals import COUNTER_STRIDE, wait_for, write_counter
from wavegen.engines.vector.gate_vectors import put_gated
from wavegen.engines.vector.memory_access import peek, poke
from wavegen.engines.vector.products import OPTIONS, add_product
from wavegen.engines.vector.vector_code import LANES

_ZERO, _ONE = np.float32(0), np.float32(1)


@njit(**OPTIONS, forceinline=True)
def sum_past(net, memory, feed, layer, begin, count, places):
    """Sum all terms but the newest tap of a layer's gates at the samples ``begin … begin + count − 1``."""
    columns, width = len(memory.flowing_offsets), 2 * net.gate_width
    sums, base = memory.sums, memory.sums_start[layer]
    layers, hop_samples = len(net.now), feed.hop_samples
    row = layers * width
    for i in range(count):
        frame, phase = 0, 0
        if hop_samples:
            frame = (begin + i - feed.start) // hop_samples
            phase = (begin + i - feed.start) - frame * hop_samples
        for c in range(columns):
            at, start = base + (i * columns + c) * width, (c * layers + layer) * width
            if hop_samples == 0:
                for o in range(width):
                    poke(sums, at + o, peek(memory.starts, start + o))
            else:
                kernel, before = feed.kernel, (c * feed.num_frames + frame) * row + layer * width
                k0, k1 = peek(kernel, phase), peek(kernel, hop_samples + phase)
                k2 = peek(kernel, 2 * hop_samples + phase)
                for o in range(width):
                    total = peek(memory.starts, start + o) + k0 * peek(feed.frames, before + o)
                    total += k1 * peek(feed.frames, before + row + o)
                    poke(sums, at + o, total + k2 * peek(feed.frames, before + 2 * row + o))
    if net.conditioning_width:
        samples = feed.stop - feed.start
        for i in range(count):
            for c in range(columns):
                places[i * columns + c] = (c * samples + begin + i - feed.start) * net.conditioning_width
        add_product(
            net.weights, net.conditioning[layer], net.rows[1], width, feed.conditioning, 0, places, 0,
            count * columns, sums, base, width,
        )  # fmt: skip
    dilation, slots = net.dilations[layer], memory.ring_slots[layer]
    stride = columns * net.residual_width
    for tap in range(net.kernel_size - 1):
        for i in range(count):
            slot = memory.ring_next[layer] + i - (net.kernel_size - 1 - tap) * dilation
            slot = slot + slots if slot < 0 else slot
            slot = slot - slots if slot >= slots else slot
            for c in range(columns):
                places[i * columns + c] = slot * stride + c * net.residual_width
        add_product(
            net.weights, net.past[layer] + tap * net.rows[0] * width, net.rows[0], width, memory.rings,
            memory.ring_start[layer], places, 0, count * columns, sums, base, width,
        )  # fmt: skip
    memory.begun[layer] = begin
    memory.length[layer] = count


@njit(**OPTIONS, forceinline=True)
def pass_layer(net, memory, layer, t):
    """Compute one layer for the sample: store its input, gate, add to residual stream and skips."""
    columns, width = len(memory.flowing_offsets), 2 * net.gate_width
    mixed = net.residual_width + net.skip_width
    ring = memory.ring_start[layer] + memory.ring_next[layer] * columns * net.residual_width
    for c in range(columns):
        for r in range(net.residual_width):
            poke(memory.rings, ring + c * net.residual_width + r, peek(memory.flowing, c * mixed + r))
    memory.ring_next[layer] += 1
    if memory.ring_next[layer] == memory.ring_slots[layer]:
        memory.ring_next[layer] = 0
    at = memory.sums_start[layer] + (t - memory.begun[layer]) * columns * width
    add_product(
        net.weights, net.now[layer], net.rows[0], width, memory.flowing, 0, memory.flowing_offsets, 0,
        columns, memory.sums, at, width,
    )  # fmt: skip
    sums, gates, flowing = memory.sums, memory.gates, memory.flowing
    for c in range(columns):
        for o in range(0, net.gate_width, LANES):
            put_gated(gates, c * net.gate_width + o, sums, at + c * width + 2 * o)
        bias, out = layer * mixed, c * mixed
        for r in range(mixed):
            poke(flowing, out + r, peek(flowing, out + r) + peek(net.mix_bias, bias + r))
    add_product(
        net.weights, net.mix[layer], net.rows[2], mixed, gates, 0, memory.gates_offsets, 0, columns, flowing,
        0, mixed,
    )  # fmt: skip


@njit(**OPTIONS, forceinline=True)
def read_out(net, memory):
    """Compute the output net, from the sum of skips (or the residual stream) to the parameters."""
    columns, mixed = len(memory.flowing_offsets), net.residual_width + net.skip_width
    first = net.residual_width if net.skip_width else 0
    flowing, hidden, parameters = memory.flowing, memory.hidden, memory.parameters
    first_slope, second_slope = net.slope[0], net.slope[1]
    for c in range(columns):
        for i in range(c * mixed + first, (c + 1) * mixed):
            value = peek(flowing, i)
            poke(flowing, i, value if value > _ZERO else first_slope * value)
        for i in range(net.hidden_width):
            poke(hidden, c * net.hidden_width + i, peek(net.hidden_bias, i))
        for i in range(net.parameter_width):
            poke(parameters, c * net.parameter_width + i, peek(net.output_bias, i))
    add_product(
        net.weights, net.output[0], net.rows[3], net.hidden_width, flowing, first, memory.flowing_offsets, 0,
        columns, hidden, 0, net.hidden_width,
    )  # fmt: skip
    for i in range(columns * net.hidden_width):
        value = peek(hidden, i)
        poke(hidden, i, value if value > _ZERO else second_slope * value)
    add_product(
        net.weights, net.output[1], net.rows[4], net.parameter_width, hidden, 0, memory.hidden_offsets, 0,
        columns, parameters, 0, net.parameter_width,
    )  # fmt: skip


@njit(**OPTIONS, forceinline=True)
def predict(map, waveform, c, i, t):
    """The prediction of sample ``t`` of a column by the filter, in float64.

    A filter with narrow resonances adds large terms of both signs.
    """
    taps, frame = map.taps, (t - map.frames_start) // map.hop_samples
    order, total = taps.shape[2], np.float64(0)
    for tap in range(order):
        total += np.float64(taps[c, frame, tap]) * np.float64(waveform[c, i - order + tap])
    return total


@njit(**OPTIONS, forceinline=True)
def expect_residual(map, residual, c, i, t):
    """The residual of sample ``t`` that pulses and previous cycle let expect, in float64."""
    taps, frame = map.long_term_taps, (t - map.frames_start) // map.hop_samples
    total, lag = np.float64(map.shift[c, t - map.start]), map.lag[c, t - map.start]
    if lag:
        first = i - lag - taps.shape[2] // 2
        fraction = np.float64(map.fraction[c, t - map.start])
        before = np.float64(residual[c, first])
        for tap in range(taps.shape[2]):
            after = np.float64(residual[c, first + tap + 1])
            total += np.float64(taps[c, frame, tap]) * (before + fraction * (after - before))
            before = after
    return total


@njit(**OPTIONS, forceinline=True)
def speak(net, memory, feed, t):
    """Draw sample ``t`` of every column, and find the next input of the net."""
    waveform, map, j = feed.waveform, feed.map, t - feed.start
    i, order = feed.history + j, len(net.prediction)
    for c in range(len(memory.flowing_offsets)):
        located, predicted, gain = np.float64(0), np.float64(0), np.float64(1)
        loc, log_scale, scale = _ZERO, _ZERO, _ONE
        for tap in range(order):
            loc += net.prediction[tap] * waveform[c, i - order + tap]
        if net.reads_excitation:
            predicted = predict(map, waveform, c, i, t)
            gain = np.float64(map.gain[c, t - map.start])
            located = predicted + gain * expect_residual(map, feed.residual, c, i, t)
            loc, log_scale = np.float32(located), map.log_scale[c, t - map.start]
            scale = map.scale[c, t - map.start]
        waveform[c, i] = draw(
            net, memory.parameters, c * net.parameter_width, feed.temperature[j, c],
            feed.u_component[j, c], feed.noise[j, c], loc, log_scale, scale,
        )  # fmt: skip
        if net.reads_excitation:
            feed.inputs[c, i] = (waveform[c, i] - located) / scale
            feed.residual[c, i] = (waveform[c, i] - predicted) / gain


@njit(**OPTIONS)
def _run_stage(net, memory, feed, stage, first, last, num_stages, counters):
    """Compute one stage's part of a window: layers ``first … last − 1``.

    Stage s may compute the samples before ``counters[s]``; for stage 0 the previous sample must be known.
    """
    columns, mixed = len(memory.flowing_offsets), net.residual_width + net.skip_width
    flowing, inputs, history = memory.flowing, feed.inputs, feed.history
    places = memory.places[stage]
    for layer in range(first, last):
        # Blocks of different layers end at different samples, which spreads their work over time.
        count = memory.block[layer] - layer % memory.block[layer]
        sum_past(net, memory, feed, layer, feed.start, min(count, feed.stop - feed.start), places)
    for t in range(feed.start, feed.stop):
        i = history + t - feed.start
        if num_stages > 1:
            wait_for(counters, stage * COUNTER_STRIDE, t + 1)
        if stage == 0:
            for c in range(columns):
                previous = inputs[c, i - 1]
                for r in range(net.residual_width):
                    lifted = peek(net.lift_weight, r) * previous + peek(net.lift_bias, r)
                    poke(flowing, c * mixed + r, lifted)
                for r in range(net.residual_width, mixed):
                    poke(flowing, c * mixed + r, _ZERO)
        for layer in range(first, last):
            pass_layer(net, memory, layer, t)
        if stage == num_stages - 1:
            read_out(net, memory)
            if not feed.given:
                speak(net, memory, feed, t)
            else:
                for c in range(columns):
                    place = c * net.parameter_width
                    for p in range(net.parameter_width):
                        feed.recorded[c, t - feed.start, p] = memory.parameters[place + p]
        if num_stages > 1:
            if stage == num_stages - 1:
                write_counter(counters, 0, t + 2)
            else:
                write_counter(counters, (stage + 1) * COUNTER_STRIDE, t + 1)
        if t + 1 < feed.stop:
            for layer in range(first, last):
                if memory.begun[layer] + memory.length[layer] == t + 1:
                    count = min(memory.block[layer], feed.stop - t - 1)
                    sum_past(net, memory, feed, layer, t + 1, count, places)


@cached_on_disk(no_cfunc_wrapper=True)
def run_stage(net, memory, feed, stage, first, last, num_stages, counters):
    _run_stage(net, memory, feed, stage, first, last, num_stages, counters)
