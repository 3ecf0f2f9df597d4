"""The arithmetic of a student's layers over a few columns of time, for compiled code.

Activations have the layout ``[time][channels]``. Each tap of a dilated convolution is then a matrix product
with rows that exist already, shifted by the dilation. Weights are in panels of 32 outputs. A panel stays in
the first-level cache while it is multiplied with all columns; sums stay in registers.

The result of a column depends on its own inputs only, not on the columns that are computed with it.
"""

import numpy as np
from numba import njit

from wavegen.compiled.compiled_sources import INNER
from wavegen.compiled.fast_math import exp32
from wavegen.engines.parallel.tables import COLUMNS, ROWS
from wavegen.engines.vector.gate_vectors import put_gated
from wavegen.engines.vector.memory_access import peek, poke
from wavegen.engines.vector.panels import PANEL
from wavegen.engines.vector.tile_inputs import put
from wavegen.engines.vector.tiles import product_tile
from wavegen.engines.vector.upsampled_sums import begin_sums
from wavegen.engines.vector.vector_code import LANES

_pair, _single = product_tile(ROWS, COLUMNS), product_tile(1, COLUMNS)
_SLOPE, _ZERO = np.float32(0.2), np.float32(0.0)


@njit(**INNER)
def lift(net, table, speech, scratch, flow, at, count, target):
    """Write the residual stream of ``count`` samples and the first layer's inputs; set the skips to 0."""
    stream, width, groups = scratch.stream, table.width, table.groups
    row, weight = width + table.skips, table.lift
    lane_elements = table.row // groups
    for c in range(count):
        x = speech.lines[flow, at + c]
        s = c * row
        for i in range(width):
            poke(stream, s + i, peek(net.fine, weight + i) * x + peek(net.fine, weight + width + i))
        for i in range(width, row):
            poke(stream, s + i, _ZERO)
        for group in range(groups):
            put(speech.inputs, target + c * table.row + group * lane_elements, stream, s + group * LANES)


@njit(**INNER)
def gates(net, table, layer, speech, scratch, source, time, count):
    """Compute a layer's gated activations for ``count`` columns; its newest inputs begin at ``source``."""
    sums, offsets = scratch.sums, scratch.offsets
    row, rows, taps = table.row, table.tap_rows, table.taps
    lane_elements = table.hidden_row // table.gate_panels
    panel_size = (taps * rows + table.side_rows) * PANEL
    starts, frames, kernel = speech.starts, speech.frames, net.fine
    hop, frame_row, first_frame, first_phase = table.hop, table.frame_row, 0, 0
    if hop:
        first_frame = table.frames + layer.frame + time // hop * frame_row
        first_phase = time % hop
    for column in range(COLUMNS):
        offsets[column] = column * row
        offsets[COLUMNS + column] = column * table.side_row
    for panel in range(table.gate_panels):
        weight = layer.gates + panel * panel_size
        start, frame = layer.start + panel * PANEL, first_frame + panel * PANEL
        phase = first_phase
        for c in range(0, count, COLUMNS):
            if hop == 0:
                _begin(starts, start, sums)
            else:
                columns = min(COLUMNS, count - c)
                frame, phase = _begin_upsampled(
                    starts, start, frames, frame, frame_row, kernel, table.kernel, hop, phase, columns, sums
                )
            for tap in range(taps):
                x = source + (c - (taps - 1 - tap) * layer.dilation) * row
                w = weight + tap * rows * PANEL
                add_panel(net.weights, w, speech.inputs, x, offsets, 0, rows, sums, 0, PANEL)
            if table.side_rows:
                x = table.side + (time + c) * table.side_row
                w = weight + taps * rows * PANEL
                rows_ = table.side_rows
                add_panel(net.weights, w, speech.side, x, offsets, COLUMNS, rows_, sums, 0, PANEL)
            for column in range(COLUMNS):
                h = (c + column) * table.hidden_row + panel * lane_elements
                put_gated(scratch.hidden, h, sums, column * PANEL)


@njit(**INNER)
def _begin(starts, a, sums):
    """Start the sums without conditioning at frame rate: sums[c] = starts."""
    for c in range(COLUMNS):
        for lane in range(PANEL):
            poke(sums, c * PANEL + lane, peek(starts, a + lane))


@njit(**INNER)
def _begin_upsampled(starts, a, frames, frame, frame_row, kernel, k, hop, phase, columns, sums):
    """sums[c] = starts + the upsampled projection of the frames; returns the next frame and phase.

    Sums after ``columns`` are unchanged; they are not read.
    """
    c = 0
    while c < columns:
        run = min(columns - c, hop - phase)
        begin_sums(starts, a, frames, frame, frame_row, kernel, k + phase, hop, sums, c * PANEL, run)
        c, phase = c + run, phase + run
        if phase == hop:
            frame, phase = frame + frame_row, 0
    return frame, phase


@njit(**INNER)
def add_outputs(net, table, layer, speech, scratch, count, target, has_next):
    """Add a layer's outputs to the residual stream and the skips; write the next layer's inputs."""
    stream, row = scratch.stream, table.width + table.skips
    panels, rows = row // PANEL, table.hidden_rows
    _panels(net.weights, layer.output, panels, rows, scratch, table.hidden_row, stream, row, count)
    lane_elements, bias = table.row // table.groups, layer.output_bias
    for c in range(count):
        s = c * row
        for i in range(row):
            poke(stream, s + i, peek(stream, s + i) + peek(net.fine, bias + i))
        if has_next:
            for group in range(table.groups):
                put(speech.inputs, target + c * table.row + group * lane_elements, stream, s + group * LANES)


@njit(**INNER)
def _panels(weights, w, panels, rows, scratch, hidden_row, sums, row, count):
    """sums[c] += W hidden[c], panel by panel."""
    offsets = scratch.offsets
    for column in range(COLUMNS):
        offsets[column] = column * hidden_row
    for panel in range(panels):
        weight = w + panel * rows * PANEL
        for c in range(0, count, COLUMNS):
            x = c * hidden_row
            at = c * row + panel * PANEL
            add_panel(weights, weight, scratch.hidden, x, offsets, 0, rows, sums, at, row)


@njit(**INNER)
def add_panel(weights, w, inputs, x, offsets, o, rows, sums, s, stride):
    """The product of one panel with ``COLUMNS`` columns: one tile if the registers suffice, else two."""
    if ROWS == 2:
        _pair(weights, w, PANEL, inputs, x, offsets, o, rows, sums, s, stride)
    else:
        _single(weights, w, PANEL, inputs, x, offsets, o, rows, sums, s, stride)
        _single(weights, w + LANES, PANEL, inputs, x, offsets, o, rows, sums, s + LANES, stride)


@njit(**INNER)
def speak(net, table, speech, scratch, flow, at, count):
    """Compute the output net and the affine map: ``count`` input samples of the next flow."""
    stream, row, width = scratch.stream, table.width + table.skips, table.width
    begin = width if table.skips else 0
    read_row = table.read_panels * PANEL
    lane_elements = table.read_row // ((row - begin) // LANES)
    for c in range(count):
        s = c * row + begin
        for i in range(row - begin):
            x = peek(stream, s + i)
            poke(stream, s + i, _SLOPE * x if x < _ZERO else x)
        for group in range((row - begin) // LANES):
            put(scratch.hidden, c * table.read_row + group * lane_elements, stream, s + group * LANES)
    for c in range(count):
        for i in range(read_row):
            poke(stream, c * read_row + i, peek(net.fine, table.read_bias + i))
    rows = table.read_rows
    _panels(
        net.weights, table.read, table.read_panels, rows, scratch, table.read_row, stream, read_row, count
    )
    sums, offsets = scratch.sums, scratch.offsets
    for column in range(COLUMNS):
        offsets[column] = column * read_row
    for c in range(0, count, COLUMNS):
        tile = min(COLUMNS, count - c)
        for i in range(c * read_row, (c + tile) * read_row):
            x = peek(stream, i)
            poke(stream, i, _SLOPE * x if x < _ZERO else x)
        for i in range(COLUMNS * LANES):
            sums[i] = net.fine[table.last + read_row * LANES + i % LANES]
        x = c * read_row
        _single(net.fine, table.last, LANES, stream, x, offsets, 0, read_row, sums, 0, LANES)
        for column in range(tile):
            x = speech.lines[flow, 1 + at + c + column]
            scale = exp32(sums[column * LANES + 1])
            speech.lines[flow + 1, 1 + at + c + column] = sums[column * LANES] + x * scale
