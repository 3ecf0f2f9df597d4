import numpy as np
import pytest

from wavegen.data.speech import retiming
from wavegen.data.speech.corpus import Corpus
from wavegen.data.speech.prepare import prepare_corpus
from wavegen.data.speech.sources.ljspeech import LjspeechCorpus
from wavegen.data.speech.sources.sentences import SpokenSentences
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd


def prepare(root, directory) -> Corpus:
    return prepare_corpus(LjspeechCorpus(EspeakFrontEnd(), str(root)), directory, 16000)


def times_s(corpus: Corpus) -> dict[str, list[float]]:
    return {
        utterance.id: [phone.start_s for phone in utterance.phones]
        for split in ("train", "dev", "test")
        for utterance in corpus.utterances(split)
    }


def test_little_speech_keeps_the_estimates(make_ljspeech, tmp_path, monkeypatch):
    def fails(*args):
        raise AssertionError("models were fitted")

    monkeypatch.setattr(retiming.PhoneModels, "fit", fails)
    corpus = prepare(make_ljspeech(), tmp_path / "out")
    assert corpus.prosody.phone_duration_s > 0


def test_models_of_the_corpus_time_its_phones(make_ljspeech, tmp_path, monkeypatch):
    root = make_ljspeech()
    estimates = times_s(prepare(root, tmp_path / "estimates"))
    monkeypatch.setattr(retiming, "LEAST_S", 0.0)
    corpus = prepare(root, tmp_path / "out")
    found = times_s(corpus)
    assert found.keys() == estimates.keys() and found != estimates
    layout = corpus.encoder.layout
    for cut in corpus.cuts("train"):
        _, frames = corpus.load(cut)
        phones = next(u.phones for u in corpus.utterances("train") if u.id == cut.id)
        starts = [round(phone.start_s / 0.005) for phone in phones]
        indices = [layout.phone_index(phone.phone) for phone in phones]
        np.testing.assert_array_equal(frames[starts, layout.column("phone")], indices)
        # The contours are those of the estimates: they do not depend on phones.
        _, before = Corpus.open(tmp_path / "estimates").load(
            next(c for c in Corpus.open(tmp_path / "estimates").cuts("train") if c.id == cut.id)
        )
        np.testing.assert_array_equal(frames[:, -4:], before[:, -4:])


def test_a_repeated_preparation_gives_the_same_times(make_ljspeech, tmp_path, monkeypatch):
    monkeypatch.setattr(retiming, "LEAST_S", 0.0)
    root = make_ljspeech()
    first = prepare(root, tmp_path / "out")
    times, frames = times_s(first), first.load(first.cuts("train")[0])[1]
    again = prepare(root, tmp_path / "out")
    assert times_s(again) == times
    np.testing.assert_array_equal(again.load(again.cuts("train")[0])[1], frames)


def test_only_training_utterances_are_fitted(make_ljspeech, tmp_path, monkeypatch):
    monkeypatch.setattr(retiming, "LEAST_S", 0.0)
    counts = []
    fit = retiming.PhoneModels.fit
    monkeypatch.setattr(
        retiming.PhoneModels, "fit", lambda examples: counts.append(len(examples)) or fit(examples)
    )
    corpus = prepare(make_ljspeech(), tmp_path / "out")
    assert counts == [corpus.sizes["train"]] and corpus.sizes["dev"] > 0


def test_exact_times_are_kept(sentences, tmp_path, monkeypatch):
    monkeypatch.setattr(retiming, "LEAST_S", 0.0)
    front_end = EspeakFrontEnd()
    corpus = prepare_corpus(SpokenSentences(front_end, sentences=str(sentences)), tmp_path / "out", 8000)
    for utterance in corpus.utterances("train"):
        exact = [phone.start_s for phone in front_end.read(utterance.text).phones]
        assert [phone.start_s for phone in utterance.phones] == pytest.approx(exact, abs=1e-6)
