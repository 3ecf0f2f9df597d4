"""Every voice that the package carries is small, describes itself and speaks."""

import hashlib
import json
import math
from pathlib import Path

import pytest
import torch
import yaml

from wavegen.metrics.level import level_dbfs
from wavegen.metrics.pitch import harmonicity_db
from wavegen.resources import PACKAGE_DIRECTORY
from wavegen.runs.voice import MODELS, load_voice
from wavegen.synthesis.text import prepare_speech

VOICES = sorted(path.parent for path in (PACKAGE_DIRECTORY / "voices").glob("*/manifest.json"))
MAX_BYTES = 8_000_000


def test_there_is_a_voice():
    assert "ljspeech" in [voice.name for voice in VOICES]


def test_all_voices_together_are_small():
    files = [path for voice in VOICES for path in voice.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= MAX_BYTES


@pytest.mark.parametrize("folder", VOICES, ids=lambda path: path.name)
def test_a_voice_describes_itself(folder):
    assert {path.name for path in folder.iterdir()} == {
        "README.md",
        "SHA256SUMS",
        "config.yaml",
        "manifest.json",
        "metrics.json",
        *(f"{name}.safetensors" for name in MODELS),
    }
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    for name in MODELS:
        for figure in ("extended_stoi", "mel_cepstral_distortion_db", "voiced_level_db", "harmonicity_db"):
            assert math.isfinite(metrics[f"{name}/{figure}"])
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    assert config["evaluation"]["split"] == "test"
    folders = config["run"], config["corpus"]["root"], config["corpus"]["directory"]
    assert not any(Path(path).is_absolute() for path in folders)  # of the machine that trained it


@pytest.mark.parametrize("folder", VOICES, ids=lambda path: path.name)
def test_weights_are_those_of_the_sums(folder):
    weights = sorted(path for path in folder.iterdir() if path.suffix == ".safetensors")
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in weights]
    assert (folder / "SHA256SUMS").read_text(encoding="utf-8") == "".join(lines)


@pytest.mark.parametrize(
    "model", [name if name != "teacher" else pytest.param(name, marks=pytest.mark.slow) for name in MODELS]
)
@pytest.mark.parametrize("folder", VOICES, ids=lambda path: path.name)
def test_a_voice_is_voiced_and_loud_enough(folder, model):
    """Harmonics where the text is voiced, at about the level of recordings (LJSpeech: −16 to −25 dBFS)."""
    speech = prepare_speech(
        load_voice(folder), "Good morning, how are you?", model=model, voiced_temperature=0.9
    )
    waveform = speech.whole()
    voiced = speech.context["voiced"][0].bool()
    assert waveform.shape == (speech.num_samples,)
    assert -30.0 < level_dbfs(waveform, voiced) < -14.0
    noise = torch.randn(speech.num_samples, generator=torch.Generator().manual_seed(0))
    heard, floor = (harmonicity_db(each, speech.sample_rate, voiced) for each in (waveform, noise))
    assert heard > floor + 6.0
