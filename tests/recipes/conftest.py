"""Corpora in their real formats, small enough for seconds."""

import pytest
import soundfile

from wavegen.audio.resampling import resample
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd

SENTENCES = [
    "One red apple.",
    "Two green trees.",
    "Three old boats.",
    "Four cold nights.",
    "Five loud drums.",
]


@pytest.fixture(scope="session")
def sentences(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "sentences.txt"
    path.write_text("\n".join(SENTENCES) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def ljspeech(tmp_path_factory):
    """A folder in LJSpeech layout: metadata.csv and 22,050 Hz recordings."""
    root = tmp_path_factory.mktemp("ljspeech")
    (root / "wavs").mkdir()
    lines = []
    for number, text in enumerate(SENTENCES):
        spoken = EspeakFrontEnd("en-us+f3", words_per_minute=150).read(text)
        waveform = resample(spoken.waveform, spoken.sample_rate, 22050)
        soundfile.write(root / "wavs" / f"T-{number}.wav", 0.8 * waveform, 22050)
        lines.append(f"T-{number}|{text}|{text}")
    (root / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """Where corpora are prepared, each once."""
    return tmp_path_factory.mktemp("prepared")


@pytest.fixture
def corpus_overrides(sentences, ljspeech, prepared):
    """``corpus_overrides(name, sample_rate)``: the corpus of that configuration, small and in its place."""

    def build(name, sample_rate):
        overrides = ["corpus.num_dev=1", "corpus.num_test=1", "corpus.num_jobs=1"]
        overrides += [f"corpus.directory={prepared / f'{name}-{sample_rate}'}"]
        own = {"espeak": f"corpus.source.sentences={sentences}", "ljspeech": f"corpus.root={ljspeech}"}
        return [*overrides, own[name]]

    return build
