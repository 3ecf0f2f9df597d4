"""The registry of likelihoods and speeds of speech models: key, title, unit, direction, and the meaning.

Reports show all metrics in the order and with the texts of this file. ``distortion_registry.py`` has what is
measured of every system's speech, ``density_registry.py`` what is measured of images and tables.
"""

from functools import partial

from wavegen.metrics.metric import Metric

bits = partial(Metric, unit="bits per sample", better="lower", digits=3)
nats = partial(Metric, unit="nats per sample", better="lower", digits=3)
rate = partial(Metric, unit="samples/s", better="higher")

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
        "source_filter/bits_per_sample",
        title="Source-filter",
        explanation="The cost of the same samples under filter and pulses, which the features determine.",
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
        "source_filter/bits_per_sample_without_pauses",
        title="Source-filter, without pauses",
        explanation="The cost of speech only.",
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
    bits(
        "source_filter/bits_per_sample_shuffled",
        title="Source-filter, with another sentence's features",
        explanation="The same samples, but the model has the features of other words.",
        better="higher",
    ),
    bits(
        "source_filter/shuffled_gap_bits",
        title="Saving by the right features, source-filter",
        explanation="The difference.",
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
