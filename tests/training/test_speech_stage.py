"""What every training of a voice takes from the corpus."""

import numpy as np

from wavegen.linguistics.frontends.front_end import FrontEnd
from wavegen.training.speech_stage import facts_of, fill_in_voice, plain, recordings
from wavegen.untrusted.parts import restore


def test_the_voice_s_facts_are_the_corpus_s(compose_config, mini_corpus):
    config = compose_config("teacher")
    fill_in_voice(config, mini_corpus)
    layout = mini_corpus.encoder.layout
    assert plain(config.voice) == {
        "sample_rate": 8000,
        "hop_samples": 40,
        "num_features": layout.num_features,
    }
    facts = facts_of(mini_corpus)
    assert (facts["sample_rate"], facts["hop_samples"]) == (8000, 40)
    assert restore(facts["front_end"], FrontEnd, "x.json") == mini_corpus.front_end


def test_a_plain_configuration_has_its_interpolations_resolved(compose_config, mini_corpus):
    config = compose_config("teacher")
    fill_in_voice(config, mini_corpus)
    parts = plain(config.teacher)["wavenet"]["conditioning"]
    assert parts[0]["in_channels"] == mini_corpus.encoder.layout.num_features


def test_recordings_are_the_first_of_the_training_part(mini_corpus):
    first, second = recordings(mini_corpus, limit=2)
    cuts = list(mini_corpus.cuts("train"))
    for cut, waveform in zip(cuts[:2], (first, second), strict=True):
        np.testing.assert_array_equal(mini_corpus.load(cut)[0], waveform)
