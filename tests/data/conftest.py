"""Small folders in LJSpeech layout, spoken by espeak and written as real audio files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from wavegen.audio.resampling import resample
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd

TEXTS = {
    "a-1": "One red apple.",
    "a-2": "Two green trees.",
    "a-3": "Three old boats.",
    "a-4": "Four cold nights.",
    "a-5": "Five loud drums.",
}


@pytest.fixture
def make_ljspeech(tmp_path: Path) -> Callable[..., Path]:
    def make(texts: dict[str, str] = TEXTS, suffix: str = "flac", rate: int = 22050) -> Path:
        root = tmp_path / "recordings"
        (root / "wavs").mkdir(parents=True)
        for id_, text in texts.items():
            spoken = EspeakFrontEnd("en-us+f3", words_per_minute=150).read(text)
            waveform = resample(spoken.waveform, spoken.sample_rate, rate)
            noise = np.random.default_rng(0).normal(0, 1e-4, len(waveform))
            soundfile.write(root / "wavs" / f"{id_}.{suffix}", waveform * 0.8 + noise, rate)
        lines = [f"{id_}|{text}|{text}" for id_, text in texts.items()]
        (root / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return root

    return make
