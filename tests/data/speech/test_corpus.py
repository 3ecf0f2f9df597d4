"""A prepared corpus as it is read: moved, damaged, or handed over by a stranger."""

import gzip
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from wavegen.audio.pitch import PyinPitch
from wavegen.data.speech.corpus import Corpus
from wavegen.data.speech.prepare import prepare_corpus
from wavegen.data.speech.sources.sentences import SpokenSentences
from wavegen.errors import UserError
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd


def test_a_corpus_can_be_moved(sentences, tmp_path):
    corpus = prepare_corpus(
        SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), tmp_path / "out", 8000
    )
    expected = [u.waveform for u in corpus.utterances("train")]
    shutil.move(tmp_path / "out", tmp_path / "elsewhere")
    moved = Corpus.open(tmp_path / "elsewhere")
    for waveform, utterance in zip(expected, moved.utterances("train"), strict=True):
        assert torch.equal(waveform, utterance.waveform)


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.update(format_version=99),
        lambda d: d.pop("encoder"),
        lambda d: d["encoder"].pop("mean"),
        lambda d: d.update(prosody=[]),
        lambda d: d.update(splits={}),
        lambda d: d.update(front_end={"nobody": 1}),
        lambda d: d.update(sample_rate="fast"),
        lambda d: d.update(sample_rate=float("inf")),
        lambda d: d["splits"].update(train=float("inf")),
        lambda d: d["settings"].update(pitch={"name": "os.system"}),
    ],
)
def test_malformed_corpora_are_refused(sentences, tmp_path, damage):
    directory = tmp_path / "out"
    prepare_corpus(SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), directory, 8000)
    data = json.loads((directory / "corpus.json").read_text())
    damage(data)
    (directory / "corpus.json").write_text(json.dumps(data))
    with pytest.raises(UserError, match="corpus.json"):
        Corpus.open(directory)


def frames_file(directory: Path, id_: str) -> Path:
    [path] = (directory / "frames").rglob(f"{id_}.npy")
    return path


def cut_audio_short(directory: Path, id_: str) -> str:
    path = directory / "audio" / f"{id_}.wav"
    path.write_bytes(path.read_bytes()[:1000])
    return path.name


def write_frames(frames: object) -> Callable[[Path, str], str]:
    def damage(directory: Path, id_: str) -> str:
        path = frames_file(directory, id_)
        np.save(path, frames(np.load(path)))
        return path.name

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        cut_audio_short,
        write_frames(lambda frames: frames[:-1]),
        write_frames(lambda frames: frames[:, :-1]),
        write_frames(lambda frames: frames[0]),
        write_frames(lambda frames: frames.astype(str)),
        write_frames(lambda frames: frames * np.float32("nan")),
    ],
)
def test_loading_a_cut_names_the_damaged_file(sentences, tmp_path, damage):
    directory = tmp_path / "out"
    corpus = prepare_corpus(SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), directory, 8000)
    cut = corpus.cuts("dev")[0]
    waveform, frames = corpus.load(cut)
    np.testing.assert_array_equal(waveform, cut.load_audio()[0])
    np.testing.assert_array_equal(frames, cut.load_frames())
    name = damage(directory, cut.id)
    with pytest.raises(UserError, match=name.removesuffix(".npy").removesuffix(".wav")):
        corpus.load(cut)


@pytest.mark.parametrize(
    "change, reason",
    [
        (
            lambda data: data["front_end"].update(voice="../../x"),
            "corpus.json, front_end: the espeak voice '../../x' is not a valid name",
        ),
        (
            lambda data: data["front_end"].update(pitch="high"),
            "corpus.json, front_end: pitch is 'high', expected a whole number",
        ),
        (
            lambda data: data["front_end"].update(command="x"),
            "corpus.json, front_end has the argument 'command'",
        ),
        (lambda data: data.update(front_end=data["prosody"]), "expected a FrontEnd"),
        (lambda data: data.update(prosody={"_target_": "os.system"}), "names the target 'os.system'"),
        (
            lambda data: data["encoder"]["layout"].update(context_width=10**5),
            "corpus.json, layout: .*context_width must be within",
        ),
        (
            lambda data: data["settings"]["pitch"].update(min_hz=1e-9),
            "corpus.json, settings.pitch: a pitch tracker needs 1 <=",
        ),
    ],
)
def test_settings_of_a_corpus_handed_over_are_checked(sentences, tmp_path, change, reason):
    directory = tmp_path / "out"
    prepare_corpus(SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), directory, 8000)
    data = json.loads((directory / "corpus.json").read_text(encoding="utf-8"))
    change(data)
    (directory / "corpus.json").write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(UserError, match=reason):
        Corpus.open(directory)


def test_a_corpus_handed_over_takes_no_memory_for_what_is_not_there(sentences, tmp_path):
    directory = tmp_path / "out"
    corpus = prepare_corpus(SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), directory, 8000)
    frames = frames_file(directory, next(corpus.utterances("dev")).id)
    with frames.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (2**45, 20)}
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(UserError, match=f"the frames {frames} cannot be read"):
        list(corpus.utterances("dev"))
    (directory / "dev.cuts.jsonl.gz").write_bytes(gzip.compress(b"[" * 100_000))
    with pytest.raises(UserError, match="dev.cuts.jsonl.gz is missing or malformed"):
        corpus.cuts("dev")
    (directory / "corpus.json").write_bytes(b"[" * 100_000)
    with pytest.raises(UserError, match="corpus.json cannot be read or is not JSON"):
        Corpus.open(directory)


def test_a_corpus_knows_its_pitch_tracker(sentences, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "parselmouth", None)  # nobody needs Praat who chose the other
    source = SpokenSentences(EspeakFrontEnd(), sentences=str(sentences))
    tracker = PyinPitch(min_hz=80.0, max_hz=300.0)
    corpus = prepare_corpus(source, tmp_path / "out", 8000, pitch=tracker, num_jobs=1)
    assert corpus.prosody.pitch == Corpus.open(tmp_path / "out").prosody.pitch == tracker
    with pytest.raises(UserError, match="min_hz=400"):
        prepare_corpus(source, tmp_path / "other", 8000, pitch=PyinPitch(400.0, 80.0))
    assert not (tmp_path / "other").exists()


def test_damaged_files_of_a_corpus_are_named(sentences, tmp_path):
    directory = tmp_path / "out"
    corpus = prepare_corpus(SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), directory, 8000)
    id_ = next(corpus.utterances("dev")).id
    frames = frames_file(directory, id_)
    frames.write_bytes(frames.read_bytes()[:200])
    with pytest.raises(UserError, match=id_):
        list(Corpus.open(directory).utterances("dev"))
    (directory / "audio" / f"{id_}.wav").unlink()
    with pytest.raises(UserError, match=f"{id_}.wav does not exist"):
        list(corpus.utterances("dev"))
    with pytest.raises(UserError, match="train, dev, test, got 'all'"):
        corpus.cuts("all")
    (directory / "dev.cuts.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(UserError, match="dev.cuts.jsonl.gz"):
        corpus.cuts("dev")
    (directory / "dev.cuts.jsonl.gz").unlink()
    with pytest.raises(UserError, match="dev.cuts.jsonl.gz is missing"):
        Corpus.open(directory)
    (directory / "corpus.json").write_text("{")
    with pytest.raises(UserError, match="is not JSON"):
        Corpus.open(directory)


def test_a_corpus_says_what_it_is(mini_corpus):
    assert str(mini_corpus).startswith(f"corpus espeak in {mini_corpus.directory}: ")
    assert str(mini_corpus).endswith("at 8000 Hz (5 train, 2 dev, 2 test)")
    assert mini_corpus.hop_samples == 40
    assert Corpus.open(str(mini_corpus.directory)).sizes == mini_corpus.sizes


def test_utterances_are_whole_frames_with_phones_to_the_end(mini_corpus):
    total = 0.0
    for split, size in mini_corpus.sizes.items():
        utterances = list(mini_corpus.utterances(split))
        assert len(utterances) == size
        for utterance in utterances:
            assert len(utterance.waveform) == utterance.context.num_frames * mini_corpus.hop_samples
            assert utterance.phones[0].start_s == 0
            total += len(utterance.waveform) / mini_corpus.sample_rate
    assert total == pytest.approx(mini_corpus.duration_s)


def test_a_folder_without_a_corpus_says_how_to_make_one(tmp_path):
    with pytest.raises(UserError, match="contains no prepared corpus .*; run wavegen prepare first"):
        Corpus.open(tmp_path)
