"""What is spoken, in a file and on standard output: the same bytes."""

import os
import subprocess
import sys

import pytest
import torch

from wavegen.audio.sound_files import read_waveform
from wavegen.cli.main import main
from wavegen.engines.precision import fastest_precision
from wavegen.standard_output import CLOSED_PIPE_STATUS
from wavegen.synthesis.text import prepare_speech

TEXT = "One, two, three; a second clause."


def words(voice_folder, output, *more):
    return ["synthesize", f"text={TEXT}", f"checkpoint={voice_folder}", f"output={output}", *more]


@pytest.mark.parametrize("speaker", ["student", "teacher"])
@pytest.mark.parametrize("output", ["-", "/proc/self/fd/1"])
def test_standard_output_carries_the_bytes_of_the_file_and_nothing_else(
    voice_folder, tmp_path, capfdbinary, speaker, output
):
    settings = [f"model={speaker}", "seed=3"]
    assert main(words(voice_folder, tmp_path / "a.wav", *settings)) == 0
    printed = capfdbinary.readouterr()
    assert printed.out.startswith(f"{tmp_path / 'a.wav'}: ".encode()) and printed.err == b""
    assert main(words(voice_folder, output, *settings)) == 0
    streamed = capfdbinary.readouterr()
    content = (tmp_path / "a.wav").read_bytes()
    assert streamed.out == content and len(content) > 44 + 2 * 8000
    assert streamed.err.startswith(f"{output}: ".encode())
    assert f"s of speech at 8000 Hz by the {speaker}, computed in " in streamed.err.decode()
    assert streamed.err.decode().endswith(f" s in {fastest_precision(speaker)}, the fastest here\n")


def test_what_is_said_meanwhile_goes_to_standard_error(voice_folder, capfdbinary, monkeypatch):
    from wavegen.synthesis import spoken_text

    stream = spoken_text.stream_waveform

    def noisily(file, blocks, *arguments):
        def spoken():
            for block in blocks:
                print("by Python")
                os.write(1, b"by a library\n")
                yield block

        stream(file, spoken(), *arguments)

    monkeypatch.setattr(spoken_text, "stream_waveform", noisily)
    assert main(words(voice_folder, "-")) == 0
    streamed = capfdbinary.readouterr()
    size = int.from_bytes(streamed.out[4:8], "little")
    assert streamed.out[:4] == b"RIFF" and len(streamed.out) == size + 8
    assert streamed.err.count(b"by Python") == streamed.err.count(b"by a library") > 3


@pytest.mark.parametrize("speaker", ["student", "teacher"])
def test_blocks_are_the_whole(voice, speaker):
    speech = prepare_speech(voice, TEXT, model=speaker, precision="auto")
    blocks = list(speech.blocks())
    assert len(blocks) > 3 and torch.equal(torch.cat(blocks), speech.whole())
    assert sum(map(len, blocks)) == speech.num_samples


def test_a_precision_that_there_is_not_is_named(voice_folder, tmp_path, capsys):
    assert main(words(voice_folder, tmp_path / "a.wav", "precision=int8")) == 2
    assert "precision must be one of auto, float32, bfloat16, got 'int8'" in capsys.readouterr().err
    assert not (tmp_path / "a.wav").exists()


def test_a_reader_that_leaves_ends_it_quietly(voice_folder):
    """As `| head -c 1000` does; the pipe is so small that the speaker cannot be done before."""
    command = [sys.executable, "-m", "wavegen", *words(voice_folder, "-")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pipesize=4096) as process:
        assert process.stdout.read(1000)[:4] == b"RIFF"
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (CLOSED_PIPE_STATUS, b"")


@pytest.mark.parametrize(
    "speaker, said",
    [("student", "in float32 on {}"), ("teacher", ": by the CPU, which takes one sample after another; its")],
)
def test_a_text_is_spoken_on_another_device_with_the_same_noise(
    voice_folder, tmp_path, capsys, device, speaker, said
):
    """The waveforms differ by rounding only, before and after that to 16 bits."""
    spoken = []
    for where in ("cpu", device.type):
        file = tmp_path / f"{where}.wav"
        more = [f"model={speaker}", "precision=float32", f"device={where}"]
        assert main(words(voice_folder, file, *more)) == 0
        spoken.append(read_waveform(file)[0][0])
        assert (said.format(device) in capsys.readouterr().out) == (where != "cpu")
    assert len(spoken[0]) == len(spoken[1]) > 8000
    torch.testing.assert_close(*map(torch.as_tensor, spoken), rtol=0, atol=2 * 2.0**-15)


def test_a_device_that_is_missing_is_one_sentence(voice_folder, tmp_path, capsys):
    assert main(words(voice_folder, tmp_path / "a.wav", "device=cuda:99")) == 2
    assert capsys.readouterr().err.startswith("error: device=cuda:99")
