import math

import numpy as np
import pytest
import torch

from wavegen.audio.pitch import PitchTrack
from wavegen.evaluation.speech.distortion import Readings, measure_utterance, tally_systems
from wavegen.evaluation.speech.sentences import corpus_sentences
from wavegen.evaluation.tally import Tally
from wavegen.metrics.distortion_registry import DISTORTION


def test_the_metrics_can_tell_resynthesis_from_noise(evaluation):
    for metric in ("log_spectral_distance_db", "mel_cepstral_distortion_db", "voicing_error"):
        near, far = (evaluation.metrics[f"{system}/{metric}"] for system in ("griffin_lim", "white_noise"))
        assert near < 0.6 * far, metric
    assert (
        evaluation.metrics["recording/harmonicity_db"] > evaluation.metrics["white_noise/harmonicity_db"] + 5
    )


RATE = 8000


def tone(hz, amplitude=0.3, num_frames=100):
    t = torch.arange(num_frames * 40) / RATE
    return sum(amplitude / k * torch.sin(2 * math.pi * k * hz * t) for k in (1, 2, 3))


def track(hz, voiced):
    return PitchTrack(np.full(len(voiced), float(hz)), np.asarray(voiced, float))


def tallied(estimate, reference, estimate_pitch, reference_pitch, *, system="student"):
    """Values with their weights of ``system``, by key."""
    tracks = iter([reference_pitch, estimate_pitch])
    values = measure_utterance(
        Readings("a", (), {"recording": reference.numpy(), "student": estimate.numpy()}),
        sample_rate=RATE,
        pitch=lambda *_: next(tracks),
        sentences={},
    )
    prefix = f"{system}/"
    return {key.removeprefix(prefix): rest for key, *rest in values if key.startswith(prefix)}


def test_the_recording_gets_only_what_is_not_given_by_definition():
    recording, pitch = tone(100), track(100, np.ones(100))
    own, copy = (
        tallied(recording, recording, pitch, pitch, system=system) for system in ("recording", "student")
    )
    measured = {metric.key for metric in DISTORTION if metric.of_recording is None and metric.is_available}
    assert own.keys() == measured
    by_definition = {m.key: m.of_recording for m in DISTORTION if m.of_recording is not None}
    assert by_definition.keys() - copy.keys() == {"phone_accuracy_relative"}
    for key in by_definition.keys() & copy.keys():
        value = copy[key][0]
        # A steady tone has no spectrum that moves.
        assert value == pytest.approx(by_definition[key], abs=1e-5) or key == "global_variance_db", key


def test_errors_of_pitch_are_in_hertz_and_shares_of_frames():
    voiced = np.arange(100) < 60
    shorter = np.arange(100) < 45
    values = tallied(tone(110), tone(100), track(110, shorter), track(100, voiced))
    assert values["f0_rmse_hz"] == [pytest.approx(10.0), 60]
    assert values["voicing_error"] == [pytest.approx(0.15), 100]


def test_a_vowel_that_was_swallowed_counts_by_the_recordings_voicing():
    voiced = np.arange(100) < 50
    recording, swallowed = tone(100), tone(100)
    swallowed[: 50 * 40] = 0
    values = tallied(swallowed, recording, track(100, ~voiced), track(100, voiced))
    level_db, weight = values["voiced_level_db"]
    assert weight == 50 and level_db < -60, "as silent as 16 bits can be"
    values = tallied(swallowed, recording, track(100, ~voiced), track(100, ~voiced))
    assert values["voiced_level_db"] == [pytest.approx(0.0), 50]


def test_a_ratio_to_the_recording_is_that_of_both_means(corpus):
    """Of two utterances: phones of both are counted together, for the system as for the recording."""
    pytest.importorskip("pocketsphinx")
    utterances = list(corpus.utterances("test"))
    recordings = [utterance.waveform for utterance in utterances]
    noisy = [x + 0.1 * x.std() * torch.randn(x.shape) for x in recordings]
    tally = Tally()
    spoken = {"recording": recordings, "student": noisy, "copy": recordings}
    tally_systems(spoken, utterances, corpus.sample_rate, tally, pitch=corpus.pitch, sentences={})
    metrics = tally.metrics(seed=0)
    own, of_recording = (metrics[f"{name}/phone_accuracy"] for name in ("student", "recording"))
    assert metrics["student/phone_accuracy_relative"] == pytest.approx(own / of_recording)
    assert metrics["copy/phone_accuracy_relative"] == pytest.approx(1)
    assert "recording/phone_accuracy_relative" not in metrics
    assert metrics["student/sentence_choice"] is None, "there are no other sentences"


@pytest.mark.slow
def test_several_processes_measure_what_one_does(corpus):
    utterances = list(corpus.utterances("test"))
    recordings = [utterance.waveform for utterance in utterances]
    spoken = {"recording": recordings, "student": [x.roll(80) for x in recordings]}
    sentences = corpus_sentences(corpus)
    results = []
    for num_jobs in (1, 2):
        tally = Tally()
        options = {"pitch": corpus.pitch, "sentences": sentences, "num_jobs": num_jobs}
        tally_systems(spoken, utterances, corpus.sample_rate, tally, **options)
        results.append(tally.metrics(seed=0))
    one, two = results
    assert one.keys() == two.keys() and one["student/sentence_choice"] is not None
    for key, value in one.items():
        assert two[key] is value is None or two[key] == pytest.approx(value, rel=1e-9, abs=1e-9), key
