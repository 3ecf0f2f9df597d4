"""The registry of metrics: key, function, title, unit, better direction, and the meaning of the number.

Evaluation computes the metrics of ``DISTORTION`` for every utterance, with their functions. Reports show all
metrics in the order and with the texts of this file.
"""

from functools import partial

from wavegen.metrics.intelligibility import extended_stoi
from wavegen.metrics.level import level_rms
from wavegen.metrics.metric import Metric
from wavegen.metrics.pitch import f0_rmse_hz, harmonicity_db, voicing_error
from wavegen.metrics.spectral import log_spectral_distance_db, mel_cepstral_distortion_db

decibels = partial(Metric, unit="dB", better="lower")
level = partial(Metric, unit="RMS", better="near", digits=3, of_reference=True)
bits = partial(Metric, unit="bits per sample", better="lower", digits=3)
nats = partial(Metric, unit="nats per sample", better="lower", digits=3)
rate = partial(Metric, unit="samples/s", better="higher")
per_dimension = partial(Metric, unit="bits per dimension", better="lower", digits=3)
per_row = partial(Metric, unit="nats per row", better="lower", digits=3)

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
        function=lambda s: extended_stoi(*s.signals),
    ),
    Metric(
        "f0_rmse_hz",
        title="Pitch error (F0 RMSE)",
        explanation="Error of F0 in frames that are voiced in both. Read it together with the voicing error.",
        unit="Hz",
        better="lower",
        digits=1,
        function=lambda s: f0_rmse_hz(*s.reference_f0, *s.f0),
        over="voiced",
    ),
    Metric(
        "voicing_error",
        title="Voicing error",
        explanation=(
            "Share of frames that are voiced in one and unvoiced in the other: voiced sounds are whispered, "
            "or the reverse."
        ),
        unit="%",
        better="lower",
        digits=1,
        percent=True,
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
        of_reference=True,
        over="voiced",
    ),
    level(
        "level_rms_voiced",
        title="Level in voiced frames",
        explanation="Loudness where the recording is voiced; full scale is 1. Low: the vowels are too weak.",
        function=lambda s: level_rms(s.waveform, s.voiced),
        over="voiced",
    ),
    level(
        "level_rms",
        title="Level",
        explanation="Loudness of the whole utterance.",
        function=lambda s: level_rms(s.waveform),
    ),
)

LIKELIHOOD = (
    bits(
        "linear_predictor/bits_per_sample",
        title="Linear predictor",
        explanation=(
            "The cost of each 16-bit sample of the test recordings under a 32nd-order linear predictor: "
            "the baseline."
        ),
    ),
    bits(
        "teacher/bits_per_sample",
        title="Teacher",
        explanation="The cost of the same samples under the teacher. A uniform distribution costs 16.",
    ),
    bits(
        "linear_predictor/bits_per_sample_without_pauses",
        title="Linear predictor, without pauses",
        explanation="The baseline for speech only.",
    ),
    bits(
        "teacher/bits_per_sample_without_pauses",
        title="Teacher, without pauses",
        explanation="The cost of speech only; pauses cost little.",
    ),
    bits(
        "teacher/bits_per_sample_shuffled",
        title="Teacher, with another sentence's features",
        explanation="The same samples, but the teacher has the features of other words.",
        better="higher",
    ),
    bits(
        "teacher/shuffled_gap_bits",
        title="Saving by the right features",
        explanation="The difference. At zero the teacher ignores the text.",
        better="higher",
    ),
    nats(
        "student/kl_nats_per_sample",
        title="KL from student to teacher",
        explanation=(
            "Divergence of the student's distribution from the teacher's, at the student's own speech. "
            "0 means equality."
        ),
    ),
    nats(
        "student/cross_entropy_nats_per_sample",
        title="… its cross-entropy",
        explanation="The cost of the student's speech under the teacher.",
    ),
    nats(
        "student/entropy_nats_per_sample",
        title="… its entropy",
        explanation="The student's own randomness; the KL is cross-entropy minus entropy.",
        better="near",
    ),
)

SPEED = (
    rate(
        "teacher_uncached/samples_per_second",
        title="Teacher, without cached states",
        explanation="Every sample recomputes the whole receptive field.",
    ),
    rate(
        "teacher_cached/samples_per_second",
        title="Teacher, with cached states",
        explanation="One step per sample, as in synthesis with the teacher.",
    ),
    rate("student/samples_per_second", title="Student", explanation="All samples in one parallel pass."),
)

DENSITY = (
    per_dimension(
        "test/bits_per_dimension",
        title="Test images",
        explanation="The cost of each value of an unseen image.",
    ),
    per_dimension(
        "test/bits_per_dimension_importance_weighted",
        title="Test images, tighter bound",
        explanation="The log-mean-exp of the same draws as importance weights.",
    ),
    per_dimension(
        "baseline/independent_pixels",
        title="Independent pixels",
        explanation="A histogram of levels for each position, from training images.",
    ),
    per_dimension(
        "baseline/equal_levels",
        title="Equally probable levels",
        explanation="log₂ of the number of levels.",
    ),
    per_row(
        "test/nats",
        title="Test rows",
        explanation="−log p of an unseen row; its columns are standardised with the training part.",
    ),
    per_row(
        "test/nats_importance_weighted",
        title="Test rows, tighter bound",
        explanation="The log-mean-exp of the same draws as importance weights.",
    ),
    per_row(
        "test/nats_original_units",
        title="Test rows, original units",
        explanation="The same without standardisation.",
    ),
    per_row(
        "baseline/one_normal",
        title="One normal distribution",
        explanation="With the training part's means and covariances.",
    ),
    per_row(
        "baseline/independent_normals",
        title="Independent normal columns",
        explanation="With the training part's means and standard deviations.",
    ),
)
