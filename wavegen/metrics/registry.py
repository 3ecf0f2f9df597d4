"""The registry of metrics: key, function, title, unit, which way is better, and what the number means.

What evaluation measures of every utterance is what stands in ``DISTORTION``, with its function; reports show
all metrics in the order and by the words of this file.
"""

from functools import partial

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
per_row = partial(Metric, unit="nats a row", better="lower", digits=3)

DISTORTION = (
    decibels(
        "log_spectral_distance_db",
        title="Log-spectral distance",
        explanation="How far the fine spectrum is from the recording's, frame by frame, pauses included.",
        function=lambda s: log_spectral_distance_db(*s.signals),
    ),
    decibels(
        "log_spectral_distance_db_without_pauses",
        title="… where there is speech",
        explanation="The same, without pauses.",
        function=lambda s: log_spectral_distance_db(*s.signals, without_pauses=True),
    ),
    decibels(
        "mel_cepstral_distortion_db",
        title="Mel-cepstral distortion",
        explanation=(
            "How far the spectrum's coarse shape, which tells vowels apart, is from the recording's; "
            "loudness does not count."
        ),
        function=lambda s: mel_cepstral_distortion_db(*s.signals),
    ),
    Metric(
        "f0_rmse_hz",
        title="Pitch error (F0 RMSE)",
        explanation="How far F0 is off, where both voices are voiced. Read it beside the voicing error.",
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
            "Share of frames voiced in one and not in the other: what should hum, whispers, or the "
            "other way round."
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
            "How much stronger the periodic part is than the noise, where the recording is voiced. "
            "Low: breathy or hoarse."
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
            "What a 32nd-order linear predictor needs for each 16-bit sample of the test recordings: "
            "the mark to beat."
        ),
    ),
    bits(
        "teacher/bits_per_sample",
        title="Teacher",
        explanation="What the teacher needs for the same samples. 16 would be no idea at all.",
    ),
    bits(
        "linear_predictor/bits_per_sample_without_pauses",
        title="Linear predictor, without pauses",
        explanation="The mark to beat where there is speech.",
    ),
    bits(
        "teacher/bits_per_sample_without_pauses",
        title="Teacher, without pauses",
        explanation="Pauses are cheap; this is the cost of speech proper.",
    ),
    bits(
        "teacher/bits_per_sample_shuffled",
        title="Teacher, with another sentence's features",
        explanation="The same samples, but the teacher is told the wrong words.",
        better="higher",
    ),
    bits(
        "teacher/shuffled_gap_bits",
        title="What the right features save",
        explanation="The difference. At zero the teacher ignores the text and will babble.",
        better="higher",
    ),
    nats(
        "student/kl_nats_per_sample",
        title="KL from student to teacher",
        explanation=(
            "How surprised the teacher is by the student's speech, beyond the student's own "
            "randomness. 0 would be equality."
        ),
    ),
    nats(
        "student/cross_entropy_nats_per_sample",
        title="… its cross-entropy",
        explanation="The teacher's surprise alone.",
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
        title="Teacher, nothing remembered",
        explanation="Every sample recomputes all the past it depends on.",
    ),
    rate(
        "teacher_cached/samples_per_second",
        title="Teacher, with cached states",
        explanation="One step a sample: what synthesis with the teacher uses.",
    ),
    rate("student/samples_per_second", title="Student", explanation="All samples in one parallel pass."),
)

DENSITY = (
    per_dimension(
        "test/bits_per_dimension",
        title="Test images",
        explanation=(
            "An upper bound of what each value of an unseen image costs; averaged over "
            "dequantisations, if any."
        ),
    ),
    per_dimension(
        "test/bits_per_dimension_importance_weighted",
        title="Test images, tighter bound",
        explanation="The same draws as importance weights: their log-mean-exp.",
    ),
    per_dimension(
        "baseline/independent_pixels",
        title="If pixels were independent",
        explanation="A histogram of levels for each position, from training images.",
    ),
    per_dimension(
        "baseline/equal_levels",
        title="If all levels were equally probable",
        explanation="log₂ of their number.",
    ),
    per_row(
        "test/nats",
        title="Test rows",
        explanation="−log p of an unseen row, its columns standardised by the training part.",
    ),
    per_row(
        "test/nats_original_units",
        title="Test rows, original units",
        explanation="The same before standardisation.",
    ),
    per_row(
        "baseline/one_normal",
        title="One normal distribution",
        explanation="With the training part's means and covariances.",
    ),
    per_row(
        "baseline/independent_normals",
        title="Independent normal columns",
        explanation="With the training part's means and deviations.",
    ),
)
