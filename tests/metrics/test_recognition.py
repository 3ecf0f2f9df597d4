"""The recogniser: what it hears of speech, noise and silence, and that it remembers nothing between calls."""

import math

import pytest
import torch

from wavegen.errors import UserError
from wavegen.linguistics.arpabet import arpabet_words
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd
from wavegen.metrics.recognition import SentenceChoice, phone_accuracy, recognised_phones

pytest.importorskip("pocketsphinx")

SENTENCES = (
    "The weather was fine, and they walked along the river until it was dark.",
    "She opened the letter slowly and read it twice before she answered.",
    "Nobody knew where the old map had been hidden for so many years.",
)


@pytest.fixture(scope="module")
def spoken():
    """Words, sound and rate of every sentence, by espeak."""
    pronunciations = [EspeakFrontEnd().read(sentence) for sentence in SENTENCES]
    return [
        (arpabet_words(p.phones), torch.as_tensor(p.waveform).float(), p.sample_rate) for p in pronunciations
    ]


def test_right_phones_are_heard_and_wrong_ones_are_not(spoken):
    (words, sound, rate), (others, *_), _ = spoken
    right, wrong = (phone_accuracy(sum(x, ()), sound, rate) for x in (words, others))
    noise = 0.1 * torch.randn(len(sound), generator=torch.Generator().manual_seed(0))
    assert right > 0.25 and right > wrong + 0.15
    assert phone_accuracy(sum(words, ()), noise, rate) < 0.1


def test_accuracy_is_one_less_the_edit_distance(spoken):
    _, sound, rate = spoken[0]
    heard = recognised_phones(sound, rate)
    assert len(heard) > 20
    assert phone_accuracy(heard, sound, rate) == 1
    assert phone_accuracy(heard[2:], sound, rate) == pytest.approx(1 - 2 / (len(heard) - 2)), "two too many"
    swapped = [*heard[:5], "ZH" if heard[5] != "ZH" else "B", *heard[6:]]
    assert phone_accuracy(swapped, sound, rate) == pytest.approx(1 - 1 / len(heard)), "one is another"
    assert phone_accuracy(["AA"], sound, rate) < 0
    assert math.isnan(phone_accuracy([], sound, rate))


def test_the_level_hardly_counts(spoken):
    _, sound, rate = spoken[0]
    assert phone_accuracy(recognised_phones(sound, rate), sound / 4, rate) > 0.8


def test_a_call_does_not_depend_on_those_before(spoken):
    sounds = [(sound, rate) for _, sound, rate in spoken]
    forward = [recognised_phones(*sound) for sound in sounds]
    assert forward == [recognised_phones(*sound) for sound in reversed(sounds)][::-1]


def test_nothing_is_heard_in_nothing():
    assert recognised_phones(torch.zeros(0), 8000) == []
    assert recognised_phones(torch.ones(10), 8000) == []
    assert len(recognised_phones(torch.zeros(8000), 8000)) < 3


def test_the_sentence_that_was_said_is_found_in_any_order(spoken):
    words = [sentence for sentence, *_ in spoken]
    choice, backwards = SentenceChoice(words), SentenceChoice(words[::-1])
    for index, (_, sound, rate) in enumerate(spoken):
        assert choice(sound, rate) == index and backwards(sound, rate) == 2 - index


def test_noise_is_no_sentence(spoken):
    choice = SentenceChoice([words for words, *_ in spoken])
    noise = 0.1 * torch.randn(24000, generator=torch.Generator().manual_seed(0))
    assert choice(noise, 8000) is None


@pytest.mark.parametrize("sentences", [[], [(("AA",),)], [(("AA",),), (("AA",),)], [(("AA",),), ()]])
def test_a_choice_needs_two_sentences(sentences):
    with pytest.raises(UserError, match="two different sentences"):
        SentenceChoice(sentences)
