import dataclasses

import numpy as np
import pytest
import soundfile
import torch

from wavegen.data.speech.files import read_json
from wavegen.data.speech.preparation import Preparation
from wavegen.data.speech.prepare import prepare_corpus
from wavegen.data.speech.sources.ljspeech import LjspeechCorpus
from wavegen.data.speech.sources.sentences import SpokenSentences
from wavegen.data.speech.sources.source import Rendition
from wavegen.data.speech.utterance_maker import UtteranceMaker, hop
from wavegen.errors import UserError
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd
from wavegen.linguistics.phones import TimedPhone


def test_what_there_is_no_memory_for_is_skipped(sentences, tmp_path, monkeypatch):
    render = SpokenSentences.render

    def needs_much(self, item):
        return np.empty(1 << 50) if item.id == "sentences-0002" else render(self, item)

    monkeypatch.setattr(SpokenSentences, "render", needs_much)
    corpus = prepare_corpus(
        SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)), tmp_path / "out", 8000
    )
    assert corpus.skipped == {"sentences-0002": "there is not enough memory for the recording sentences-0002"}


def test_a_mended_recording_is_made_again_and_the_others_kept(make_ljspeech, tmp_path):
    root = make_ljspeech()
    out = tmp_path / "out"
    prepare_corpus(LjspeechCorpus(EspeakFrontEnd(), str(root)), out, 16000)
    before = {p.name: p.stat().st_mtime_ns for p in (out / "audio").iterdir()}
    waveform, rate = soundfile.read(root / "wavs" / "a-2.flac")
    soundfile.write(root / "wavs" / "a-2.flac", waveform * 0.5, rate)
    prepare_corpus(LjspeechCorpus(EspeakFrontEnd(), str(root)), out, 16000)
    after = {p.name: p.stat().st_mtime_ns for p in (out / "audio").iterdir()}
    assert [name for name in before if before[name] != after[name]] == ["a-2.wav"]


def test_loudness_is_changed_only_on_demand(sentences, tmp_path):
    corpus = prepare_corpus(
        SpokenSentences(EspeakFrontEnd(), sentences=str(sentences)),
        tmp_path / "out",
        16000,
        loudness_dbfs=-30.0,
    )
    for utterance in corpus.utterances("train"):
        level = 10 * torch.log10(utterance.waveform.double().square().mean())
        assert float(level) == pytest.approx(-30, abs=0.2)


@pytest.fixture
def maker(sentences, tmp_path):
    source = SpokenSentences(EspeakFrontEnd(), sentences=str(sentences))
    return UtteranceMaker(Preparation(source=source, sample_rate=8000), tmp_path / "out")


def test_a_record_tells_what_was_made_and_is_not_made_twice(maker, monkeypatch):
    items, _ = maker.preparation.source.items()
    record = maker(items[0])
    assert (record["id"], record["text"], record["notes"]) == (items[0].id, "One red apple.", [])
    info = soundfile.info(maker.directory / "audio" / f"{items[0].id}.wav")
    assert (info.frames, info.samplerate) == (record["num_frames"] * hop(8000), 8000)
    monkeypatch.setattr(SpokenSentences, "render", None)
    assert maker(items[0]) == read_json(maker.directory / "utterances" / f"{items[0].id}.json")


def test_the_settings_are_there_before_the_first_record(maker, monkeypatch):
    def fails(path, data):
        raise UserError(f"cannot write {path}")

    monkeypatch.setattr("wavegen.data.speech.utterance_maker.write_json", fails)
    items, _ = maker.preparation.source.items()
    with pytest.raises(UserError, match="cannot write"):
        maker(items[0])
    assert read_json(maker.directory / "settings.json") == maker.preparation.settings()


def test_another_stamp_or_a_missing_file_is_made_again(maker, monkeypatch):
    items, _ = maker.preparation.source.items()
    maker(items[0])
    rendered = []
    render = SpokenSentences.render
    monkeypatch.setattr(
        SpokenSentences, "render", lambda self, item: rendered.append(item) or render(self, item)
    )
    changed = dataclasses.replace(items[0], stamp="later")
    assert maker(changed)["stamp"] == "later" and len(rendered) == 1
    (maker.directory / "audio" / f"{items[0].id}.wav").unlink()
    maker(changed)
    maker(changed)
    assert len(rendered) == 2


def test_more_phones_than_frames_are_left_out_with_the_reason(maker, monkeypatch):
    phones = [TimedPhone("a", 0.001 * i, 0.001 * (i + 1)) for i in range(10)]
    short = Rendition(np.zeros(80, np.float32), 8000, phones)
    monkeypatch.setattr(SpokenSentences, "render", lambda self, item: short)
    items, _ = maker.preparation.source.items()
    assert maker(items[0]) == "2 frames of 5 ms are too few for 10 phones"


def test_a_loud_target_keeps_the_peak_below_full_scale(maker):
    loud = UtteranceMaker(dataclasses.replace(maker.preparation, loudness_dbfs=0.0), maker.directory)
    items, _ = maker.preparation.source.items()
    loud(items[0])
    waveform, _ = soundfile.read(maker.directory / "audio" / f"{items[0].id}.wav")
    assert np.abs(waveform).max() == pytest.approx(0.99, abs=1e-3)
