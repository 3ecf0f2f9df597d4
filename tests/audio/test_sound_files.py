import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.audio import sound_files
from wavegen.audio.sound_files import read_mixed_down, read_waveform
from wavegen.audio.waveform import write_waveform
from wavegen.errors import UserError

RATE = 16000


def tone(seconds: float = 0.2, hz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def flac_with(path: Path, *, rate: int = RATE, frames: int | None = None) -> Path:
    """A FLAC file whose header claims another rate, or another number of frames."""
    soundfile.write(path, tone(), RATE)
    content = bytearray(path.read_bytes())
    # Behind "fLaC", a block's header and four sizes: 20 bits of rate, 3 of channels, 5 of bits, 36 of frames.
    (packed,) = struct.unpack(">Q", content[18:26])
    claimed = packed % (1 << 36) if frames is None else frames
    content[18:26] = struct.pack(">Q", rate << 44 | (packed >> 36) % (1 << 8) << 36 | claimed)
    path.write_bytes(content)
    return path


def mp3_with(path: Path, *, mpeg_frames: int) -> Path:
    """An MP3 file whose Xing header claims another number of frames, 576 or 1152 samples each."""
    soundfile.write(path, tone(2.0), RATE, format="MP3")
    content = bytearray(path.read_bytes())
    start = max(content.find(b"Xing"), content.find(b"Info"))
    assert start > 0
    content[start + 8 : start + 12] = struct.pack(">I", mpeg_frames)
    path.write_bytes(content)
    return path


def wav_with(path: Path, *, rate: int = RATE, channels: int = 1) -> Path:
    soundfile.write(path, tone(), RATE)
    content = bytearray(path.read_bytes())
    content[22:28] = struct.pack("<HI", channels, rate)
    path.write_bytes(content)
    return path


def test_stereo_keeps_its_channels(tmp_path):
    left, right = tone(), tone(hz=220.0)
    soundfile.write(tmp_path / "a.flac", np.stack([left, right], 1), RATE, subtype="PCM_24")
    read, _ = read_waveform(tmp_path / "a.flac")
    assert read.shape == (2, len(left))
    np.testing.assert_allclose(read, np.stack([left, right]), atol=2**-22)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="nowhere.wav does not exist"):
        read_waveform(tmp_path / "nowhere.wav")


@pytest.mark.parametrize("content", [b"", b"no audio at all", b"RIFF\0\0\0\0WAVE"])
def test_unreadable_files(tmp_path, content):
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(UserError, match="a.wav"):
        read_waveform(tmp_path / "a.wav")


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_truncated_files_are_refused_at_every_cut(tmp_path, name):
    path = tmp_path / name
    noise = np.random.default_rng(0).normal(0, 0.1, RATE)  # incompressible, so that FLAC has many frames
    soundfile.write(path, noise, RATE)
    whole = path.read_bytes()
    for kept in (0.02, 0.3, 0.6, 0.9, 0.99):
        path.write_bytes(whole[: int(kept * len(whole))])
        with pytest.raises(UserError, match="truncated"):
            read_waveform(path)


def test_extra_chunks_and_streamed_headers_are_no_truncation(tmp_path):
    path = tmp_path / "a.wav"
    write_waveform(path, tone(), RATE)
    whole = path.read_bytes()
    path.write_bytes(whole + b"LIST" + struct.pack("<I", 4) + b"INFO")
    assert read_waveform(path)[0].shape[1] == len(tone())


def test_not_a_number_is_refused(tmp_path):
    samples = tone()
    samples[7] = np.nan
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    with pytest.raises(UserError, match="NaN"):
        read_waveform(tmp_path / "a.wav")


def test_streams_whose_header_tells_no_length_are_read(tmp_path):
    path = flac_with(tmp_path / "a.flac", frames=0)
    assert read_waveform(path)[0].shape == (1, len(tone()))
    content = bytearray(wav_with(tmp_path / "a.wav").read_bytes())
    content[40:44] = b"\xff\xff\xff\xff"
    (tmp_path / "a.wav").write_bytes(content)
    assert read_waveform(tmp_path / "a.wav")[0].shape == (1, len(tone()))


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(["a.wav", "a.flac", "a.ogg"]),
    st.integers(1, 3000),
    st.integers(1, 5),
    st.integers(5, 4000),
)
def test_blocks_make_the_whole(tmp_path_factory, name, num_samples, num_channels, block_values):
    path = tmp_path_factory.mktemp("blocks") / name
    noise = np.random.default_rng(0).uniform(-1, 1, (num_samples, num_channels))
    soundfile.write(path, noise, RATE)
    whole, _ = soundfile.read(path, dtype="float32", always_2d=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sound_files, "_BLOCK_VALUES", block_values)
        read, _ = read_waveform(path)
        mixed, rate, channels = read_mixed_down(path)
    np.testing.assert_array_equal(read, whole.T)
    assert (rate, channels) == (RATE, num_channels)
    np.testing.assert_allclose(mixed, whole.mean(axis=1, dtype=np.float64), atol=1e-7)


def test_blocks_of_an_mp3_are_those_of_the_whole(tmp_path, monkeypatch):
    """soundfile's own blocks are not: it seeks."""
    soundfile.write(tmp_path / "a.mp3", tone(2.0), RATE)
    whole, _ = read_waveform(tmp_path / "a.mp3")
    monkeypatch.setattr(sound_files, "_BLOCK_VALUES", 1000)
    np.testing.assert_allclose(read_waveform(tmp_path / "a.mp3")[0], whole, atol=1e-6)
    np.testing.assert_allclose(whole[0], tone(2.0), atol=0.1)


def test_a_thousand_channels_are_mixed_down(tmp_path):
    channels = np.random.default_rng(0).integers(-30000, 30000, (3000, 1000)).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", channels, RATE)
    mixed, _, number = read_mixed_down(tmp_path / "a.wav")
    assert number == 1000
    np.testing.assert_allclose(mixed, channels.mean(axis=1) / 32768, atol=1e-7)


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a FLAC header of 2^36 frames": (lambda p: flac_with(p, frames=2**36 - 1), "lasts 4294967.30 s or more"),
    "a FLAC header of 7 minutes": (lambda p: flac_with(p, frames=2**23), "lasts 524.29 s or more"),
    "a FLAC header of too many frames": (lambda p: flac_with(p, frames=2**18), "truncated"),
    "an MP3 header of 2^32 frames": (lambda p: mp3_with(p, mpeg_frames=2**32 - 1), "lasts .* s or more"),
    "an MP3 header of too many frames": (lambda p: mp3_with(p, mpeg_frames=1000), "truncated"),
    "1 Hz": (lambda p: wav_with(p, rate=1), "sample rate of 1 Hz, expected 4000 to 768000"),
    "2^31 - 1 Hz": (lambda p: wav_with(p, rate=2**31 - 1), "sample rate of 2147483647 Hz"),
    "2^31 Hz": (lambda p: wav_with(p, rate=2**31), "cannot be read"),
    "0 Hz": (lambda p: wav_with(p, rate=0), "cannot be read"),
    "FLAC of a megahertz": (lambda p: flac_with(p, rate=2**20 - 1), "sample rate of 1048575 Hz"),
    "FLAC of 0 Hz": (lambda p: flac_with(p, rate=0), "cannot be read"),
    "no channel": (lambda p: wav_with(p, channels=0), "cannot be read"),
    "2,000 channels": (lambda p: wav_with(p, channels=2000), "cannot be read"),
    "10^30": (lambda p: soundfile.write(p, tone() * 1e30, RATE, "FLOAT"), r"samples of 5e\+29"),
    "a 16-bit scale": (lambda p: soundfile.write(p, tone() * 2**15, RATE, "FLOAT"), "within \\[-1, 1\\]"),
    "an infinity": (lambda p: soundfile.write(p, tone() / 0.0, RATE, "DOUBLE"), "infinity or NaN"),
    "a double beyond float": (
        lambda p: soundfile.write(p, np.full(9, 1e300), RATE, "DOUBLE"),
        "infinity or NaN",
    ),
    "seven minutes of silence": (lambda p: soundfile.write(p, np.zeros(420 * RATE), RATE), "lasts 420.00 s"),
    "a folder": (Path.mkdir, "is a folder, expected an audio file"),
    "a pipe": (os.mkfifo, "is a device or a pipe"),
    "a link to /dev/zero": (lambda p: p.symlink_to("/dev/zero"), "is a device or a pipe"),
    "a link to nowhere": (lambda p: p.symlink_to("nowhere"), "does not exist"),
    "a link to itself": (lambda p: p.symlink_to(p.name), "cannot be read: "),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("read", [read_waveform, read_mixed_down])
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_what_is_no_recording_is_refused_in_one_sentence(tmp_path, kind, read):
    make, reason = REFUSED[kind]
    path = tmp_path / ("a.flac" if "FLAC" in kind else "a.wav")
    make(path)
    with pytest.raises(UserError, match=f"{path.name}.*{reason}"):
        read(path, longest_s=400.0)


def test_a_name_that_no_file_can_have_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be read: File name too long"):
        read_waveform(tmp_path / f"{'x' * 300}.wav")


def test_a_whole_file_of_the_longest_duration_is_read(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(0.2), RATE)
    assert read_waveform(tmp_path / "a.wav", longest_s=0.2)[0].shape == (1, len(tone(0.2)))
    with pytest.raises(UserError, match="expected 0.1999 s at most"):
        read_waveform(tmp_path / "a.wav", longest_s=0.1999)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.ogg"])
def test_damaged_bytes_are_read_or_refused(tmp_path, name):
    soundfile.write(tmp_path / name, np.random.default_rng(0).normal(0, 0.1, 4000), RATE)
    whole, generator = (tmp_path / name).read_bytes(), np.random.default_rng(0)
    for _ in range(200):
        content = bytearray(whole)
        for _ in range(generator.integers(1, 6)):  # mostly in the header
            content[int(len(content) * generator.random() ** 4)] = generator.integers(256)
        (tmp_path / name).write_bytes(content[: generator.integers(len(content) // 2, len(content) + 1)])
        try:
            waveform, rate = read_waveform(tmp_path / name, longest_s=60.0)
        except UserError:
            continue
        assert np.isfinite(waveform).all() and waveform.shape[1] <= 60 * rate
