"""A front end and a prosody are added by a file and a configuration each; nothing else names them."""

import runpy
import shutil

import pytest

from wavegen.cli import composition
from wavegen.cli.help import find_recipes
from wavegen.data.speech.corpus import Corpus
from wavegen.linguistics.analysis import TextAnalysis
from wavegen.resources import resource_directory
from wavegen.untrusted import targets

SPELLING = """
from dataclasses import dataclass

import numpy as np

from wavegen.linguistics.phones import TimedPhone
from wavegen.linguistics.pronunciation import Pronunciation

RATE = 16000


@dataclass(frozen=True)
class Spelling:
    "Every letter is a phone, a sine of its own frequency."

    letter_s: float

    def read(self, text: str) -> Pronunciation:
        letters = [letter for letter in text.lower() if letter.isalpha()]
        num_samples = round(self.letter_s * RATE)
        time_s = np.arange(num_samples) / RATE
        sounds = [np.sin(2 * np.pi * (60 + 5 * ord(letter)) * time_s) for letter in letters]
        times_s = [number * self.letter_s for number in range(len(letters) + 1)]
        phones = [TimedPhone(*phone, word=0, phrase=0) for phone in zip(letters, times_s, times_s[1:])]
        return Pronunciation(phones, times_s[-1], 0.3 * np.concatenate(sounds).astype(np.float32), RATE)
"""
MONOTONE = """
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from wavegen.audio.pitch import PitchTrack, frames_in
from wavegen.linguistics.contours import Contours
from wavegen.linguistics.phones import TimedPhone
from wavegen.linguistics.pronunciation import Pronunciation
from wavegen.linguistics.prosody.prosody import Plan


@dataclass(frozen=True)
class Monotone:
    "The front end's durations, and the mean F0 of the training part."

    f0_hz: float | None = None
    loudness_db: float = -25.0

    def plan(self, pronunciation: Pronunciation) -> Plan:
        num_frames = frames_in(pronunciation.duration_s)
        pitch = PitchTrack(np.full(num_frames, self.f0_hz), np.ones(num_frames))
        contours = Contours(pitch, np.full(num_frames, self.loudness_db))
        return Plan(pronunciation.phones, num_frames, contours)

    def summarise(
        self, phones: Sequence[TimedPhone], contours: Contours, spoken: Pronunciation | None
    ) -> dict[str, Any]:
        return {"f0_hz": float(contours.pitch.f0_hz.mean())}

    def fit(self, summaries: Iterable[dict[str, Any]]) -> "Monotone":
        return replace(self, f0_hz=float(np.mean([summary["f0_hz"] for summary in summaries])))
"""
CONFIGS = {
    "front_end": "# @package corpus.front_end\n_target_: spelling.Spelling\nletter_s: 0.125  # seconds\n",
    "prosody": "# @package corpus.prosody\n_target_: monotone.Monotone\n",
}


@pytest.fixture
def configs(tmp_path, monkeypatch):
    """The configurations with the two new ones; the two new files can be imported."""
    (tmp_path / "spelling.py").write_text(SPELLING)
    (tmp_path / "monotone.py").write_text(MONOTONE)
    monkeypatch.syspath_prepend(tmp_path)
    shutil.copytree(resource_directory("configs"), tmp_path / "configs")
    for group, text in CONFIGS.items():
        (tmp_path / "configs" / group / "new.yaml").write_text(text)
    allowed = targets.allowed_targets() | {"spelling.Spelling", "monotone.Monotone"}
    monkeypatch.setattr(targets, "allowed_targets", lambda: allowed)
    return tmp_path / "configs"


def test_a_corpus_is_prepared_with_them_and_carries_them(configs, sentences, tmp_path):
    words = ["front_end=new", "prosody=new", f"corpus.source.sentences={sentences}", "corpus.num_jobs=1"]
    words += ["corpus.num_dev=1", "corpus.num_test=1", f"corpus.directory={tmp_path / 'corpus'}"]
    config = composition.compose_config("prepare", words, configs=configs)
    recipe = find_recipes(resource_directory("recipes"))["prepare"]
    runpy.run_path(str(recipe))["main"](config)
    corpus = Corpus.open(tmp_path / "corpus")
    assert (type(corpus.front_end).__name__, corpus.front_end.letter_s) == ("Spelling", 0.125)
    assert type(corpus.prosody).__name__ == "Monotone" and corpus.prosody.f0_hz > 0
    utterance = next(corpus.utterances("train"))
    letters = [letter for letter in utterance.text.lower() if letter.isalpha()]
    assert [phone.phone for phone in utterance.phones] == letters
    context, plan = TextAnalysis(corpus.front_end, corpus.prosody, corpus.encoder).analyse("Bad")
    assert context.num_frames == plan.num_frames == 75
    assert set(plan.contours.pitch.f0_hz) == {corpus.prosody.f0_hz}
