"""The compiled loop of the parallel engine: computes blocks of time through all layers of all flows.

A block is short enough to stay in the second-level cache from layer to layer. Every thread computes its part
of a block's columns in all layers. It waits only for the inputs that causality requires: the earlier columns
of the previous layer, and all columns of the previous block. The result does not depend on the threads.
"""

from typing import NamedTuple

from numba import njit

from wavegen.compiled.compiled_sources import INNER, cached_on_disk
from wavegen.engines.parallel.layers import add_outputs, gates, lift, speak
from wavegen.engines.parallel.tables import COLUMNS
from wavegen.engines.signals import COUNTER_STRIDE, wait_for, write_counter


class Span(NamedTuple):
    """The next ``num_samples`` samples; the first one is sample ``window_start`` of the window.

    ``position``: used rows of every layer's inputs, without the past; ``capacity``: all rows.
    ``block``: samples that are computed together through all layers.
    """

    num_samples: int
    window_start: int
    position: int
    capacity: int
    block: int


@njit(**INNER)
def _run(net, speech, scratch, span, counters, thread, num_threads):
    """Compute one thread's part of the next ``num_samples`` samples of ``speech.lines``.

    Args:
        net, speech, scratch: see ``tables.py``.
        span: the samples; in ``speech.lines`` they begin at column 1.
        counters: one per thread, all 0.

    Returns:
        The next ``position``.
    """
    position, num_samples, block = span.position, span.num_samples, span.block
    num_flows, num_layers = net.flows.shape[0], net.layers.shape[0]
    num_steps = 1 + num_flows + num_layers
    step = 0
    for block_begin in range(0, num_samples, block):
        size = min(block, num_samples - block_begin)
        tiles = -(-size // COLUMNS)
        first = min(size, tiles * thread // num_threads * COLUMNS)
        count = min(size, tiles * (thread + 1) // num_threads * COLUMNS) - first
        if position + size > span.capacity:
            _meet(counters, thread, num_threads, step)
            _move_past_to_front(net, speech.inputs, position, thread, num_threads)
            _meet(counters, thread, num_threads, step + 1)
            position = 0
        step += 1
        write_counter(counters, thread * COUNTER_STRIDE, step)
        for flow in range(num_flows):
            table = net.flows[flow]
            place, at = position + first, block_begin + first
            _wait(counters, thread, num_threads, step, num_steps)
            target = _row_of(net.layers[table.first_layer], table.row, place)
            lift(net, table, speech, scratch, flow, at, count, target)
            step += 1
            write_counter(counters, thread * COUNTER_STRIDE, step)
            for index in range(table.first_layer, table.end_layer):
                layer = net.layers[index]
                _wait(counters, thread, num_threads, step, num_steps)
                source, has_next = _row_of(layer, table.row, place), index + 1 < table.end_layer
                gates(net, table, layer, speech, scratch, source, span.window_start + at, count)
                if has_next:
                    target = _row_of(net.layers[index + 1], table.row, place)
                add_outputs(net, table, layer, speech, scratch, count, target, has_next)
                if not has_next:
                    speak(net, table, speech, scratch, flow, at, count)
                step += 1
                write_counter(counters, thread * COUNTER_STRIDE, step)
        position += size
    return position


@njit(**INNER)
def _row_of(layer, row, place):
    return layer.inputs + (layer.past + place) * row


@njit(**INNER)
def _wait(counters, thread, num_threads, step, num_steps):
    """Wait until earlier columns have finished the previous step, and later columns the previous block."""
    for other in range(num_threads):
        if other != thread:
            wait_for(counters, other * COUNTER_STRIDE, step if other < thread else step - num_steps)


@njit(**INNER)
def _meet(counters, thread, num_threads, step):
    """Wait until all threads have finished ``step`` steps."""
    write_counter(counters, thread * COUNTER_STRIDE, step)
    for other in range(num_threads):
        wait_for(counters, other * COUNTER_STRIDE, step)


@njit(**INNER)
def _move_past_to_front(net, inputs, position, thread, num_threads):
    """Move the last rows of the layers' inputs to the front; each thread does so for some layers."""
    for flow in range(net.flows.shape[0]):
        table = net.flows[flow]
        for index in range(table.first_layer, table.end_layer):
            if index % num_threads == thread:
                first, shift = net.layers[index].inputs, position * table.row
                for i in range(first, first + net.layers[index].past * table.row):
                    inputs[i] = inputs[i + shift]


@cached_on_disk()
def run_student(net, speech, scratch, span, counters, thread, num_threads):
    return _run(net, speech, scratch, span, counters, thread, num_threads)
