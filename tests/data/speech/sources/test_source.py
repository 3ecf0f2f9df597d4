"""What every source offers, over those that there are."""

import json
import pickle

import numpy as np
import pytest

from wavegen.data.speech.sources.ljspeech import LjspeechCorpus
from wavegen.data.speech.sources.sentences import SpokenSentences
from wavegen.data.speech.sources.source import CorpusItem, Rendition, SkippedUtterance
from wavegen.errors import UserError
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd
from wavegen.linguistics.frontends.front_end import FrontEnd


@pytest.fixture(params=["sentences", "ljspeech"])
def source(request, tmp_path, make_ljspeech):
    if request.param == "ljspeech":
        return LjspeechCorpus(EspeakFrontEnd(), str(make_ljspeech({"a-1": "One red apple."}, suffix="wav")))
    (tmp_path / "sentences.txt").write_text("One red apple.\n")
    return SpokenSentences(EspeakFrontEnd(), sentences=str(tmp_path / "sentences.txt"))


def test_a_source_is_settings_that_can_be_sent_and_written(source):
    assert isinstance(source.name, str) and isinstance(source.front_end, FrontEnd)
    assert pickle.loads(pickle.dumps(source)) == source
    settings = source.settings()
    assert json.loads(json.dumps(settings)) == settings


def test_items_come_in_one_order_and_are_rendered_with_contiguous_phones(source):
    items, skipped = source.items()
    assert (items, skipped) == source.items() and skipped == {}
    assert [type(item) for item in items] == [CorpusItem] and items[0].text == "One red apple."
    rendition = source.render(items[0])
    assert isinstance(rendition, Rendition)
    assert rendition.waveform.dtype == np.float32 and rendition.waveform.ndim == 1
    seconds = len(rendition.waveform) / rendition.sample_rate
    assert rendition.phones[0].start_s == 0
    assert rendition.phones[-1].end_s == pytest.approx(seconds, abs=0.005)
    for before, after in zip(rendition.phones, rendition.phones[1:], strict=False):
        assert before.end_s == pytest.approx(after.start_s)


def test_an_item_that_cannot_be_used_is_skipped_with_a_reason():
    source = SpokenSentences(EspeakFrontEnd())
    with pytest.raises(SkippedUtterance, match="."):
        source.render(CorpusItem("x", "  "))
    assert not issubclass(SkippedUtterance, UserError), "the others go on"
