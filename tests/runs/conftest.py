"""A run folder with a small teacher in it."""

import runpy
from pathlib import Path

import pytest

from wavegen.runs.manifest import write_manifest
from wavegen.runs.weights import build_model, save_weights

small_voice = runpy.run_path(str(Path(__file__).with_name("small_voice.py")))
TEACHER = small_voice["TEACHER"]


@pytest.fixture
def description(mini_corpus):
    return {
        "sample_rate": mini_corpus.sample_rate,
        "hop_samples": mini_corpus.hop_samples,
        "encoder": mini_corpus.encoder.to_dict(),
    }


@pytest.fixture
def run(tmp_path, description):
    write_manifest(tmp_path, {"teacher": TEACHER}, description)
    save_weights(tmp_path, "teacher", build_model(TEACHER, source="test"))
    return tmp_path
