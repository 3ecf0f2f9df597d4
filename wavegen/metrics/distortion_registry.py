"""The registry of what is measured of every system's speech: key, function, title, unit, direction, meaning.

Evaluation computes the metrics of ``DISTORTION`` for every utterance, with their functions. Reports show them
in the order and with the texts of this file. ``EXTENT`` is what they were measured on.
"""

from functools import partial

from wavegen.metrics.global_variance import global_variance_db
from wavegen.metrics.intelligibility import extended_stoi
from wavegen.metrics.level import level_dbfs, level_difference_db
from wavegen.metrics.metric import Metric
from wavegen.metrics.pitch import f0_rmse_hz, harmonicity_db, voicing_error
from wavegen.metrics.quality import pesq_mos
from wavegen.metrics.recognition import phone_accuracy
from wavegen.metrics.spectral import log_spectral_distance_db, mel_cepstral_distortion_db

RECOGNISER = "pocketsphinx"

decibels = partial(Metric, unit="dB", better="lower", of_recording=0.0)
share = partial(Metric, unit="%", digits=1, percent=True)
heard = partial(share, better="higher", package=RECOGNISER)

DISTORTION = (
    decibels(
        "log_spectral_distance_db",
        title="Log-spectral distance",
        explanation="Distance of the detailed spectrum from the recording's, frame by frame, with pauses.",
        function=lambda s: log_spectral_distance_db(*s.signals),
    ),
    decibels(
        "log_spectral_distance_db_without_pauses",
        title="… without pauses",
        explanation="The same in frames with speech only.",
        function=lambda s: log_spectral_distance_db(*s.signals, without_pauses=True),
    ),
    decibels(
        "mel_cepstral_distortion_db",
        title="Mel-cepstral distortion",
        explanation=(
            "Distance of the spectrum's coarse shape, which distinguishes vowels, from the recording's; "
            "loudness does not count."
        ),
        function=lambda s: mel_cepstral_distortion_db(*s.signals),
    ),
    Metric(
        "extended_stoi",
        title="Intelligibility (extended STOI)",
        explanation=(
            "Correlation of the bands' envelopes with the recording's over 0.4 s: 1 for the recording, about "
            "0 for noise. Loudness does not count."
        ),
        unit="correlation",
        better="higher",
        digits=3,
        of_recording=1.0,
        function=lambda s: extended_stoi(*s.signals),
    ),
    heard(
        "phone_accuracy",
        title="Phones heard",
        explanation=(
            "Share of the phones that a recogniser of English hears without being told anything, less those "
            "that it makes up. It misses many of the recording's too."
        ),
        function=lambda s: phone_accuracy(s.arpabet, s.waveform, s.sample_rate),
        over="phones",
    ),
    heard(
        "phone_accuracy_relative",
        title="… relative to the recording's",
        explanation="The same divided by what it hears of the recording.",
        of_recording=1.0,
        relative_to="phone_accuracy",
        over="phones",
    ),
    heard(
        "sentence_choice",
        title="Sentences recognised",
        explanation=(
            "Share of the utterances whose sentence the recogniser finds among those of the corpus, 100 if "
            "there are as many."
        ),
        function=lambda s: s.is_right_choice,
        over="utterances",
    ),
    Metric(
        "pesq_mos",
        title="Predicted quality (PESQ)",
        explanation=(
            "Opinion score from 1 (bad) to 4.6, predicted by a model of hearing. It was made for telephones: "
            "noise and gaps count more than naturalness."
        ),
        unit="MOS",
        better="higher",
        function=lambda s: pesq_mos(*s.signals),
        package="pesq",
        over="utterances",
    ),
    decibels(
        "global_variance_db",
        title="Liveliness of the spectrum (global variance)",
        explanation=(
            "Variance over time of the spectrum's coarse shape beside the recording's. Below 0: averaged, "
            "muffled speech."
        ),
        better="near",
        function=lambda s: global_variance_db(*s.signals),
    ),
    Metric(
        "f0_rmse_hz",
        title="Pitch error (F0 RMSE)",
        explanation="Error of F0 in frames that are voiced in both. Read it together with the voicing error.",
        unit="Hz",
        better="lower",
        digits=1,
        of_recording=0.0,
        function=lambda s: f0_rmse_hz(*s.reference_f0, *s.f0),
        over="voiced",
    ),
    share(
        "voicing_error",
        title="Voicing error",
        explanation=(
            "Share of frames that are voiced in one and unvoiced in the other: voiced sounds are whispered, "
            "or the reverse."
        ),
        better="lower",
        of_recording=0.0,
        function=lambda s: voicing_error(s.reference_pitch.voiced, s.pitch.voiced),
    ),
    decibels(
        "harmonicity_db",
        title="Harmonicity in voiced frames",
        explanation=(
            "Ratio of the periodic part and the noise, where the recording is voiced. Low: breathy or hoarse."
        ),
        function=lambda s: harmonicity_db(s.waveform, s.sample_rate, s.voiced),
        better="near",
        digits=1,
        of_recording=None,
        over="voiced",
    ),
    decibels(
        "voiced_level_db",
        title="Level in voiced frames, beside the recording's",
        explanation="Where the recording is voiced. Below 0: the vowels are too weak.",
        function=lambda s: level_difference_db(s.reference, s.waveform, s.voiced),
        better="near",
        digits=1,
        over="voiced",
    ),
    decibels(
        "pause_level_dbfs",
        title="Level in pauses",
        explanation="0 is full scale. Much above the recording's: a hiss or hum that does not stop.",
        function=lambda s: level_dbfs(s.waveform, s.pauses),
        unit="dBFS",
        better="near",
        digits=1,
        of_recording=None,
        over="pauses",
    ),
)

EXTENT = Metric(
    "measured_s",
    title="Measured on",
    explanation="Length of the test speech.",
    unit="s",
    better="near",
    digits=1,
)
