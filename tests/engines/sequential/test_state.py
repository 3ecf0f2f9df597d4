"""What a group's state is, as its records describe it."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from wavegen.distributions.heads import NormalHead
from wavegen.engines.sequential.state import IDENTITY, WaveformMap

one_group = runpy.run_path(str(Path(__file__).with_name("one_group.py")))
small_teacher, group_of, prepare, run = (
    one_group[name] for name in ("small_teacher", "group_of", "prepare", "run")
)


@pytest.mark.parametrize("columns", [1, 3, 20])
def test_memory_has_room_for_every_layers_past_and_what_is_summed_of_it(columns):
    group = group_of(small_teacher(), range(columns), num_stages=2)
    memory, net = group.memory, group.net
    assert memory.ring_slots.tolist() == [2 * dilation + 1 for dilation in (1, 2, 4)]
    ring_sizes = memory.ring_slots * columns * net.residual_width
    assert memory.ring_start.tolist() == [0, *np.cumsum(ring_sizes)[:-1]]
    assert memory.rings.size == ring_sizes.sum()
    # a block is summed before its own samples are there: it is no longer than the dilation
    assert (memory.block >= 1).all() and (memory.block <= [1, 2, 4]).all()
    sums_sizes = memory.block * columns * 2 * net.gate_width
    assert memory.sums_start.tolist() == [0, *np.cumsum(sums_sizes)[:-1]]
    assert memory.sums.size == sums_sizes.sum()
    assert memory.starts.size == columns * 3 * 2 * net.gate_width
    mixed = net.residual_width + net.skip_width
    assert memory.flowing_offsets.tolist() == [mixed * column for column in range(columns)]
    assert memory.gates_offsets.tolist() == [net.gate_width * column for column in range(columns)]
    assert memory.places.shape == (2, columns * memory.block.max())
    for array in (memory.rings, memory.sums, memory.flowing, memory.gates, memory.hidden, memory.parameters):
        assert array.dtype == np.float32 and array.ctypes.data % 64 == 0 and not array.any()


def test_a_feed_has_the_samples_before_the_window_first():
    group = group_of(small_teacher(linear_prediction_order=4), [0, 2])
    prepare(group, 0, 10, batch_size=3)
    group.waveform[:, -4:] = [[1, 2, 3, 4], [5, 6, 7, 8]]
    prepare(group, 10, 16, batch_size=3)
    *_, feed, stage, first, last, num_stages, counters = next(iter(group.stages()))
    assert feed.inputs is feed.waveform and feed.map is IDENTITY
    assert (feed.start, feed.stop, feed.history) == (10, 16, 4)
    assert feed.waveform.shape == (2, 4 + 6)
    assert feed.waveform[:, :4].tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]] and not feed.waveform[:, 4:].any()
    assert feed.hop_samples == 0 and feed.conditioning.size == 0 and not feed.given
    assert (stage, first, last, num_stages) == (0, 0, 3, 1) and counters[0] == 11


def test_the_excitation_is_what_the_map_makes_the_waveform_of(make_source_filter):
    """Frames of four samples, in windows that begin within a frame, against the definition of the map."""
    teacher = small_teacher(NormalHead(-6.0), source_filter=make_source_filter().float())
    group, order, reach, time = group_of(teacher, [0, 2]), 5, 1, 24
    frames = {"taps": 0.2 * torch.randn(3, 6, order), "long_term_taps": 0.5 * torch.randn(3, 6, 3)}
    samples = {name: torch.randn(3, time) for name in ("shift", "log_scale", "log_gain", "fraction")}
    samples["log_scale"] -= 3
    samples["scale"], samples["gain"] = samples["log_scale"].exp(), samples.pop("log_gain").exp()
    samples["fraction"] = samples["fraction"].abs().clamp(max=0.9)
    lag = torch.randint(reach + 2, 9, (3, time))
    samples["lag"] = torch.where((lag <= torch.arange(time)) & (lag != 5), lag, 0)
    spoken, excitation = [], []
    for start, stop in ((0, 6), (6, 14), (14, time)):
        first, last = start // 4, -(-stop // 4)
        map = WaveformMap(
            frames_start=4 * first,
            hop_samples=4,
            start=start,
            **{name: each[:, first:last].contiguous().numpy() for name, each in frames.items()},
            **{name: each[:, start:stop].contiguous().numpy() for name, each in samples.items()},
        )
        prepare(group, start, stop, batch_size=3)
        noise = torch.randn(stop - start, 3).numpy()
        group.to_speak(np.zeros_like(noise), noise, np.ones_like(noise), map)
        run(group)
        spoken.append(group.spoken)
        excitation.append(group.inputs[:, group.history :])
    x, found = np.concatenate(spoken, 1).astype(np.float64), np.concatenate(excitation, 1)
    for column, member in enumerate([0, 2]):
        taps, long_term_taps = (each[member].double().numpy() for each in frames.values())
        own = {name: each[member].double().numpy() for name, each in samples.items()}
        past, residual = np.concatenate([np.zeros(order), x[column]]), np.zeros(time + reach + 1)
        for t in range(time):
            prediction = past[t : t + order] @ taps[t // 4]
            expected, before = own["shift"][t], t - int(own["lag"][t])
            if before < t:
                places = before + own["fraction"][t] + np.arange(-reach, reach + 1)
                between = np.interp(places, np.arange(-reach, time + 1), np.roll(residual, reach))
                expected += between @ long_term_taps[t // 4]
            residual[t] = (x[column, t] - prediction) / own["gain"][t]
            location = prediction + own["gain"][t] * expected
            assert abs(found[column, t] - (x[column, t] - location) / own["scale"][t]) < 1e-4
    assert x.std() > 0.01 and samples["lag"].any()
