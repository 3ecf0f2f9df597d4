"""Speak a text with a trained voice, into a 16-bit WAV or FLAC file or a player.

The text may contain any punctuation and have any length; it is spoken sentence by sentence. It may also come
from a file, or from standard input with text_file=-.
The student is used by default; with model=teacher, the teacher generates one sample after another. output=-
is standard output: a player behind a pipe starts before all samples are computed.

Examples:
  wavegen synthesize text="Good morning, how are you?" checkpoint=runs/quickstart output=morning.wav
  wavegen synthesize text="Good morning, how are you?" checkpoint=runs/quickstart output=- | aplay
  fortune | wavegen synthesize text_file=- checkpoint=runs/quickstart output=fortune.wav
"""

import time

from omegaconf import DictConfig

from wavegen.audio.waveform import sound_format
from wavegen.devices import compute_device
from wavegen.runs.voice import load_voice
from wavegen.standard_output import check_output, say_beside
from wavegen.synthesis.text import explain_computation, prepare_text, read_text, sampler_of


def main(config: DictConfig) -> None:
    check_output(config.output)
    sound_format(config.output)
    text = read_text(config.text, config.text_file)
    device = compute_device(config.device)
    voice = load_voice(config.checkpoint).to(device)
    start = time.perf_counter()
    sampler = sampler_of(
        voice,
        config.model,
        config.temperature,
        config.precision,
        voiced_temperature=config.voiced_temperature,
    )
    spoken = prepare_text(voice, text, sampler, seed=config.seed)
    duration_s = spoken.write(config.output)
    seconds = time.perf_counter() - start
    say_beside(
        config.output,
        f"{config.output}: {duration_s:.2f} s of speech at {voice.sample_rate} Hz by the "
        f"{config.model}, computed in {seconds:.2f} s "
        f"{explain_computation(config.precision, config.model, device)}",
    )
