"""Speak a text with a trained voice, into a 16-bit WAV file.

The text is spoken as it stands, whatever its punctuation. It may also come from a file, or from standard
input with text_file=-. The student speaks by default; speaker=teacher lets the teacher speak, sample by
sample.

Examples:
  wavegen synthesize text="Good morning, how are you?" checkpoint=runs/quickstart output=morning.wav
  fortune | wavegen synthesize text_file=- checkpoint=runs/quickstart output=fortune.wav
"""

import time

from omegaconf import DictConfig

from wavegen.audio.waveform import write_waveform
from wavegen.models.bundle import load_voice
from wavegen.synthesis.text import read_text, speak


def main(config: DictConfig) -> None:
    text = read_text(config.text, config.text_file)
    voice = load_voice(config.checkpoint)
    start = time.perf_counter()
    waveform = speak(
        voice,
        text,
        speaker=config.speaker,
        temperature=config.temperature,
        precision=config.precision,
        seed=config.seed,
    )
    seconds, duration_s = time.perf_counter() - start, len(waveform) / voice.sample_rate
    write_waveform(config.output, waveform.numpy(), voice.sample_rate)
    print(
        f"{config.output}: {duration_s:.2f} s of speech at {voice.sample_rate} Hz by the {config.speaker}, "
        f"made in {seconds:.2f} s"
    )
