import re
from collections import Counter

import pytest

from wavegen.data.speech.sources.sentences import SpokenSentences
from wavegen.data.speech.sources.source import CorpusItem, SkippedUtterance
from wavegen.errors import UserError
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd
from wavegen.linguistics.phones import EN_US_PHONES, SILENCE, UNKNOWN


def test_the_sentences_cover_every_phone_and_digit():
    corpus = SpokenSentences(EspeakFrontEnd())
    items, problems = corpus.items()
    assert len(items) >= 320 and not problems
    assert len({item.text for item in items}) == len(items)
    phones, words = Counter(), Counter()
    for item in items:
        phones.update(phone.phone for phone in corpus.front_end.read(item.text).phones)
        words.update(re.findall(r"[a-z]+", item.text.lower()))
        assert 4 <= len(item.text.split()) <= 14, item.text
    assert phones[UNKNOWN] == 0
    rare = {p: phones[p] for p in EN_US_PHONES if p not in (SILENCE, UNKNOWN) and phones[p] < 20}
    assert rare == {}
    digits = "zero one two three four five six seven eight nine".split()
    assert min(words[digit] for digit in digits) >= 8, words


def test_sentences_of_ones_own(tmp_path):
    (tmp_path / "mine.txt").write_text("Hello there.\n\n  Good bye.  \n", encoding="utf-8")
    corpus = SpokenSentences(EspeakFrontEnd(), sentences=str(tmp_path / "mine.txt"))
    assert [item.text for item in corpus.items()[0]] == ["Hello there.", "Good bye."]
    assert corpus.settings() != SpokenSentences(EspeakFrontEnd()).settings()
    rendition = corpus.render(corpus.items()[0][0])
    assert rendition.phones and rendition.spoken is None, "the front end says it itself"


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\xff"])
def test_unusable_files_of_sentences_are_named(tmp_path, content):
    path = tmp_path / "mine.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match="mine.txt"):
        SpokenSentences(EspeakFrontEnd(), sentences=str(path)).items()


def test_a_line_without_a_phone_is_skipped():
    with pytest.raises(SkippedUtterance, match="nothing that the voice"):
        SpokenSentences(EspeakFrontEnd()).render(CorpusItem("x", "..."))
