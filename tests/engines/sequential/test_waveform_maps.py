"""Windows of the map from excitation to waveform are cut from that of the whole utterance."""

import functools

import numpy as np
import pytest
import torch

from wavegen.distributions.heads import NormalHead
from wavegen.engines.sequential.waveform_maps import WaveformMaps
from wavegen.errors import UserError
from wavegen.models.speech.teacher import WaveNetTeacher
from wavegen.nets.wavenet import WaveNet


@pytest.fixture
def conditioner(make_source_filter):
    wavenet = functools.partial(
        WaveNet, dilations=[1], residual_channels=2, gate_channels=2, skip_channels=0, output_channels=2
    )
    teacher = WaveNetTeacher(head=NormalHead(-9.0), wavenet=wavenet, source_filter=make_source_filter(4))
    conditioner = teacher.conditioner.requires_grad_(False)
    for parameter in conditioner.source_filter.parameters():
        parameter.add_(0.3 * torch.randn_like(parameter))
    return conditioner


@pytest.mark.parametrize("borders", [[0, 200], [0, 64, 128, 192, 200], [0, 3, 5, 38, 81, 199, 200]])
def test_windows_are_those_of_the_whole(conditioner, speech_context, borders):
    """Also windows that begin within a frame, and the last, after which frames of the context remain."""
    context, maps = speech_context(2, 52), WaveformMaps(conditioner)
    step = conditioner.step_parameters(context, 200)
    taps, shift, log_scale = (each.numpy() for each in step[:3])
    assert step.lags.whole.any() and step.long_term_taps.any()
    assert np.abs(np.diff(taps, axis=1)).max() > 0.01 and np.abs(np.diff(log_scale)).max() > 0.1
    for start, stop in zip(borders, borders[1:], strict=False):
        map = maps.window(context, start, stop)
        here = slice(start, stop)
        np.testing.assert_allclose(map.shift, shift[:, here], atol=1e-6)
        np.testing.assert_allclose(map.log_scale, log_scale[:, here], atol=1e-6)
        np.testing.assert_allclose(map.scale, np.exp(log_scale[:, here]), rtol=1e-6)
        assert (map.start, map.frames_start, map.hop_samples) == (start, start // 4 * 4, 4)
        frames = slice(start // 4, -(-stop // 4))
        np.testing.assert_allclose(map.taps[..., ::-1], taps[:, frames], atol=1e-6)
        np.testing.assert_allclose(map.gain, step.log_gain.exp()[:, here], rtol=1e-6)
        np.testing.assert_array_equal(map.lag, step.lags.whole[:, here])
        used = map.lag > 0
        np.testing.assert_allclose(map.fraction[used], step.lags.fraction[:, here].numpy()[used], atol=1e-6)
        np.testing.assert_allclose(map.long_term_taps, step.long_term_taps[:, frames], atol=1e-6)
        for array in (map.shift, map.log_scale, map.scale, map.taps, map.gain, map.fraction):
            assert array.dtype == np.float32 and array.flags.c_contiguous
        assert map.lag.dtype == np.int64 and map.lag.flags.c_contiguous


def test_a_short_context_and_none_are_refused(conditioner, speech_context):
    maps = WaveformMaps(conditioner)
    with pytest.raises(UserError, match=r"covers 20 samples \(5 frames\), expected at least 21"):
        maps.window(speech_context(1, 5), 0, 21)
    with pytest.raises(UserError, match="'features' but got no context"):
        maps.window(None, 0, 20)


@pytest.mark.parametrize("in_thread", [False, True])
def test_every_window_has_a_map_that_covers_it(conditioner, speech_context, in_thread):
    context, maps = speech_context(1, 50), WaveformMaps(conditioner)
    taps, shift = (each.numpy() for each in conditioner.step_parameters(context, 199)[:2])
    found = list(maps.of_windows(context, 199, 22, in_thread=in_thread))
    for index in range(10):
        map, start, stop = found[index], 22 * index, min(22 * index + 22, 199)
        np.testing.assert_allclose(
            map.shift[:, start - map.start : stop - map.start], shift[:, start:stop], atol=1e-6
        )
        frame = (stop - 1 - map.frames_start) // 4
        np.testing.assert_allclose(map.taps[:, frame, ::-1], taps[:, (stop - 1) // 4], atol=1e-6)
