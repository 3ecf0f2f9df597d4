"""Every file that a user may be handed, damaged in the ways that chance finds.

``WAVEGEN_TORTURE_MUTATIONS=10000 pytest -m torture tests/torture`` is the long form; the short form is slow.
"""

import json
import runpy
import shutil
from pathlib import Path

import pytest
import soundfile
import torch
import yaml
from omegaconf import OmegaConf

import wavegen
from wavegen.audio.sound_files import read_mixed_down
from wavegen.cli.composition import compose_config
from wavegen.data.speech.corpus import Corpus
from wavegen.data.speech.prepare import prepare_corpus
from wavegen.data.speech.sources.ljspeech import LjspeechCorpus
from wavegen.data.speech.sources.sentences import SpokenSentences
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd
from wavegen.resources import resource_directory
from wavegen.runs.checksums import SUMS
from wavegen.runs.folder import resume_config
from wavegen.runs.voice import load_voice
from wavegen.runs.weights import read_weights
from wavegen.synthesis.text import prepare_speech
from wavegen.training.checkpoints import resumable
from wavegen.training.speech_stage import fill_in_voice

damage = runpy.run_path(str(Path(__file__).with_name("mutations.py")))
changed_bytes, changed_json = damage["changed_bytes"], damage["changed_json"]
FINE = {"accepted", "refused"}
VOICE = Path(wavegen.__file__).parent / "voices" / "ljspeech"


def copied(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def speak(folder):
    voice = load_voice(folder)
    for model in ("student", "teacher", "source_filter"):
        if getattr(voice, model) is not None:
            next(iter(prepare_speech(voice, "Yes.", model=model).blocks()))


@pytest.mark.parametrize("name", ["manifest.json", "student.safetensors"])
def test_voices(tmp_path, outcomes, name):
    folder = copied(VOICE, tmp_path)
    (folder / SUMS).unlink()  # so that damaged weights get past them, as weights from elsewhere would
    path = folder / name

    def use(damaged):
        path.write_bytes(damaged)
        speak(folder)

    counts = outcomes(path.read_bytes(), changed_json if name.endswith("json") else changed_bytes, use)
    assert counts.keys() <= FINE and counts["refused"]


def test_weights_with_sums_are_never_accepted_damaged(tmp_path, outcomes):
    folder = copied(VOICE, tmp_path)
    path = folder / "student.safetensors"
    whole = path.read_bytes()

    def use(damaged):
        path.write_bytes(damaged)
        read_weights(path)
        assert damaged == whole

    counts = outcomes(whole, changed_bytes, use)
    assert counts.keys() <= FINE and counts["refused"]


def test_sums(tmp_path, outcomes):
    folder = copied(VOICE, tmp_path)
    path = folder / SUMS

    def use(damaged):
        path.write_bytes(damaged)
        read_weights(folder / "student.safetensors")

    counts = outcomes(path.read_bytes(), changed_bytes, use)
    assert counts.keys() <= FINE and counts["refused"]


def read_all(folder):
    corpus = Corpus.open(folder)
    for split in ("train", "dev", "test"):
        for utterance in list(corpus.utterances(split))[:2]:
            assert utterance.waveform.isfinite().all()


@pytest.mark.parametrize("pattern", ["corpus.json", "train.cuts.jsonl.gz", "audio/*.wav", "frames/**/*.npy"])
def test_corpora(mini_corpus, tmp_path, outcomes, pattern):
    folder = copied(mini_corpus.directory, tmp_path)
    path = sorted(folder.glob(pattern))[0]

    def use(damaged):
        path.write_bytes(damaged)
        read_all(folder)

    counts = outcomes(path.read_bytes(), changed_json if pattern.endswith("json") else changed_bytes, use)
    assert counts.keys() <= FINE and counts["refused"]


@pytest.fixture(scope="module")
def sharded_corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sharded")
    (folder / "sentences.txt").write_text("Number one.\nNumber two.\nNumber three.\nNumber four.\n")
    source = SpokenSentences(EspeakFrontEnd(), sentences=str(folder / "sentences.txt"))
    return prepare_corpus(source, folder / "corpus", 8000, num_dev=1, num_test=1, num_jobs=1, shard_size=2)


@pytest.mark.parametrize("name", ["../train.shards.json", "cuts", "recording", "frames"])
def test_shards(sharded_corpus, tmp_path, outcomes, name):
    folder = copied(sharded_corpus.directory, tmp_path)
    (path,) = (folder / "train").glob(f"{name}.0*") if name.isalpha() else [folder / name[3:]]

    def use(damaged):
        path.write_bytes(damaged)
        list(Corpus.open(folder).utterances("train"))

    counts = outcomes(path.read_bytes(), changed_json if name.endswith("json") else changed_bytes, use)
    assert counts.keys() <= FINE and counts["refused"]


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_recordings(tmp_path, outcomes, suffix):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, torch.randn(4000).mul(0.1).numpy(), 16000)

    def use(damaged):
        path.write_bytes(damaged)
        read_mixed_down(path, longest_s=10.0)

    counts = outcomes(path.read_bytes(), changed_bytes, use)
    assert counts.keys() <= FINE and counts["refused"]


def test_metadata(tmp_path, outcomes):
    (tmp_path / "wavs").mkdir()
    path = tmp_path / "metadata.csv"

    def use(damaged):
        path.write_bytes(damaged)
        LjspeechCorpus(EspeakFrontEnd(), str(tmp_path)).items()

    assert outcomes("a|Ten.|ten\nb|Größe, „so“|größe\n".encode() * 5, changed_bytes, use).keys() <= FINE


def test_checkpoints(tmp_path, outcomes):
    path = tmp_path / "last.ckpt"
    torch.save({"global_step": 3, "state_dict": {"weight": torch.randn(10, 10)}}, path)

    def use(damaged):
        path.write_bytes(damaged)
        resumable(tmp_path, 10)

    counts = outcomes(path.read_bytes(), changed_bytes, use)
    assert counts.keys() <= FINE
    assert counts["refused"] > counts["accepted"]  # a byte of the data that is not what was saved


def test_configurations_of_runs(mini_corpus, tmp_path, outcomes):
    path = tmp_path / "config.yaml"
    words = [f"resume={tmp_path}", f"corpus.directory={mini_corpus.directory}"]
    config = compose_config("teacher", words, configs=resource_directory("configs"))
    fill_in_voice(config, mini_corpus)

    def use(damaged):
        path.write_bytes(damaged)
        resume_config(config)

    def changed_yaml(content, rng):
        damaged, what = changed_json(content, rng)
        try:
            return yaml.safe_dump(json.loads(damaged)).encode(), what
        except ValueError:
            return damaged, what

    counts = outcomes(json.dumps(OmegaConf.to_container(config, resolve=True)).encode(), changed_yaml, use)
    assert counts.keys() <= FINE and counts["refused"]
