import pytest

from wavegen.evaluation.speech.sentences import choice_of, corpus_sentences
from wavegen.evaluation.speech.test_set import beginning
from wavegen.linguistics.arpabet import arpabet_words
from wavegen.linguistics.phones import TimedPhone

pytest.importorskip("pocketsphinx")


def test_a_corpus_has_the_sentences_of_all_its_splits(corpus):
    sentences = corpus_sentences(corpus)
    splits = {split: list(corpus.utterances(split)) for split in ("train", "dev", "test")}
    assert len(sentences) == 6 and set(sentences) == {u.id for us in splits.values() for u in us}
    for utterance in splits["test"]:
        assert sentences[utterance.id] == arpabet_words(utterance.phones)


def test_the_right_sentence_is_first_among_different_others(corpus):
    sentences = corpus_sentences(corpus)
    for utterance in corpus.utterances("test"):
        choice = choice_of(utterance.id, utterance.phones, {**sentences, "again": sentences[utterance.id]})
        assert len(choice.sentences) == 6, "the same sentence of another recording is not another sentence"
        assert len(choice.sentences[0]) == len(sentences[utterance.id])


def test_there_are_at_most_a_hundred_and_they_depend_on_the_utterance_alone():
    sounds = ["B", "D", "F", "G", "K", "L", "M", "N", "P", "R", "S", "T", "V", "W", "Z"]
    sentences = {f"{a}{b}": ((a, "IY", b),) for a in sounds for b in sounds}
    phones = [TimedPhone(name, i / 10, (i + 1) / 10, word=0) for i, name in enumerate(("b", "iː", "d"))]
    words = [
        [choice_of("BD", phones, sentences).decoder.lookup_word(f"w{i}") for i in range(100)] for _ in "ab"
    ]
    assert words[0] == words[1] and words[0][0] == "B IY D" and len(set(words[0])) == 100
    other = choice_of("other", phones, sentences)
    assert [other.decoder.lookup_word(f"w{i}") for i in range(100)] != words[0]
    assert other.decoder.lookup_word("w100") is None


def test_a_beginning_and_a_single_sentence_leave_no_choice(corpus):
    sentences = corpus_sentences(corpus)
    utterance = next(corpus.utterances("test"))
    assert choice_of(utterance.id, beginning(utterance, 1600, corpus.hop_samples).phones, sentences) is None
    assert choice_of(utterance.id, utterance.phones, {utterance.id: sentences[utterance.id]}) is None
    assert choice_of(utterance.id, utterance.phones, {}) is None
