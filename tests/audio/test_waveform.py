import errno
import io
import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from wavegen.audio.sound_files import read_waveform
from wavegen.audio.waveform import sound_format, stream_waveform, to_grid, write_blocks, write_waveform
from wavegen.errors import UserError

RATE = 16000


def tone(seconds: float = 0.2, rate: int = RATE, hz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


@settings(deadline=None, max_examples=30)
@given(hnp.arrays(np.int16, st.integers(1, 300)))
def test_points_of_the_grid_survive_a_file_exactly(tmp_path_factory, samples):
    path = tmp_path_factory.mktemp("grid") / "a.wav"
    waveform = samples.astype(np.float32) / 32768
    write_waveform(path, waveform, RATE)
    read, rate = read_waveform(path)
    assert rate == RATE
    np.testing.assert_array_equal(read, waveform[None])


def test_writing_clips_and_rounds(tmp_path):
    write_waveform(tmp_path / "a.wav", torch.tensor([2.0, -3.0, 0.3 * 2**-15, 0.7 * 2**-15]), RATE)
    read, _ = read_waveform(tmp_path / "a.wav")
    np.testing.assert_array_equal(read[0], np.array([1 - 2**-15, -1, 0, 2**-15], np.float32))


@settings(deadline=None, max_examples=50)
@given(
    hnp.arrays(
        np.float32, st.integers(0, 200), elements=st.floats(-1.5, 1.5, width=32, allow_subnormal=False)
    ),
    st.integers(1, 70),
    st.sampled_from([8000, 22050, 48000]),
)
def test_a_stream_has_the_bytes_of_the_file(tmp_path_factory, waveform, block_samples, rate):
    path, file = tmp_path_factory.mktemp("stream") / "a.wav", io.BytesIO()
    write_waveform(path, waveform, rate)
    tensor = torch.from_numpy(waveform)
    stream_waveform(file, tensor.split(block_samples), len(tensor), rate)
    assert file.getvalue() == path.read_bytes()


def test_a_stream_is_heard_from_the_header_on(tmp_path):
    """Whatever was given is in the reader's hands before the next block is asked for."""
    seen = []

    def blocks():
        for _ in range(3):
            seen.append((tmp_path / "a.wav").stat().st_size)
            yield torch.zeros(10)

    with (tmp_path / "a.wav").open("wb") as file:
        stream_waveform(file, blocks(), 30, RATE)
    assert seen == [44, 64, 84]


def test_a_stream_refuses_what_is_no_number_or_no_wav(tmp_path):
    file = io.BytesIO()
    blocks = [torch.zeros(10), torch.tensor([0.0, float("nan")])]
    with pytest.raises(UserError, match="contains NaN or infinity"):
        stream_waveform(file, blocks, 12, RATE)
    assert len(file.getvalue()) == 44 + 20
    with pytest.raises(ValueError, match="expected 12 samples in total, got 10"):
        stream_waveform(io.BytesIO(), blocks[:1], 12, RATE)
    with pytest.raises(UserError, match="smaller than 4 GiB"):
        stream_waveform(io.BytesIO(), [], 1 << 31, RATE)


def test_grid_of_tensors_and_arrays_agree():
    x = torch.linspace(-1.5, 1.5, 1001, dtype=torch.float64)
    on_grid = to_grid(x)
    assert torch.equal(on_grid * 32768, (on_grid * 32768).round())
    assert float((on_grid - x).abs().max()) <= 2**-16
    np.testing.assert_array_equal(to_grid(x.numpy()), on_grid.numpy())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_not_written(tmp_path, value):
    samples = tone()
    samples[7] = value
    with pytest.raises(UserError, match="a.wav.*NaN or infinity"):
        write_waveform(tmp_path / "new" / "a.wav", samples, RATE)
    assert not (tmp_path / "new").exists()


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    write_waveform(path, tone(), RATE)
    before = path.read_bytes()

    def fails_half_way(self, content):
        with self.open("wb") as file:
            file.write(bytes(content)[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fails_half_way)
    with pytest.raises(UserError, match="a.wav: No space left on device"):
        write_waveform(path, tone(hz=100.0), RATE)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


def test_a_place_that_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        write_waveform(tmp_path / "file" / "a.wav", tone(), RATE)


def test_more_than_one_channel_is_a_programming_error(tmp_path):
    with pytest.raises(ValueError, match="shape"):
        write_waveform(tmp_path / "a.wav", np.zeros((2, 5)), RATE)


@pytest.mark.parametrize(
    ("path", "expected"),
    [("a.wav", "WAV"), ("a.WAV", "WAV"), ("a.flac", "FLAC"), ("/dev/stdout", "WAV"), ("-", "WAV")],
)
def test_the_ending_says_the_format(path, expected):
    assert sound_format(path) == expected
    with pytest.raises(UserError, match="ends in .wav or .flac, got .mp3"):
        sound_format("a.mp3")


def test_blocks_make_the_same_file(tmp_path):
    waveform = tone()
    write_waveform(tmp_path / "a.wav", waveform, RATE)
    write_blocks(tmp_path / "b.wav", torch.from_numpy(waveform).split(700), RATE)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_blocks_that_end_in_a_mistake_leave_nothing(tmp_path):
    with pytest.raises(UserError, match="b.flac is not written: its waveform contains NaN"):
        write_blocks(tmp_path / "b.flac", [torch.zeros(10), torch.full((10,), torch.nan)], RATE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["b.wav", "b.flac"])
def test_a_disk_that_is_full_in_the_middle_leaves_nothing(tmp_path, name):
    """A limit of the process on the size of files, which fails writes as a full disk does."""
    noise = np.random.default_rng(0).normal(0, 0.1, (20, 8192))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(UserError, match=f"cannot write .*{name}: .*is the disk full"):
            write_blocks(tmp_path / name, noise, RATE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
