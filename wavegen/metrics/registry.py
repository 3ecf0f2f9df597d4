"""In plain words: what each number of the report means, and which way is better."""

from dataclasses import dataclass

SYSTEM_TITLES = {
    "recording": "Recording",
    "teacher": "Teacher",
    "student": "Student",
    "griffin_lim": "Griffin-Lim",
    "white_noise": "White noise",
}

SYSTEM_NOTES = {
    "recording": "The reader's own voice, from the test part of the corpus: no model has seen it.",
    "teacher": "The WaveNet, one sample after another, from the utterance's phones, timing and pitch.",
    "student": "The distilled network, all samples at once, from the same phones, timing and pitch.",
    "griffin_lim": "No model: the recording's own mel spectrogram, turned back into sound.",
    "white_noise": "Noise as loud as the recording. A number that likes it can be ignored.",
}


@dataclass(frozen=True)
class Metric:
    """One row of a table. ``better`` is "lower", "higher" or "near" (the recording's value)."""

    key: str
    title: str
    unit: str
    better: str
    explanation: str
    digits: int = 2
    percent: bool = False


DISTORTION = (
    Metric(
        "log_spectral_distance_db",
        "Log-spectral distance",
        "dB",
        "lower",
        "How far the fine spectrum is from the recording's, frame by frame, pauses included.",
    ),
    Metric(
        "log_spectral_distance_db_without_pauses",
        "… where there is speech",
        "dB",
        "lower",
        "The same, without pauses.",
    ),
    Metric(
        "mel_cepstral_distortion_db",
        "Mel-cepstral distortion",
        "dB",
        "lower",
        "How far the spectrum's coarse shape, which tells vowels apart, is from the recording's; "
        "loudness does not count.",
    ),
    Metric(
        "f0_rmse_hz",
        "Pitch error (F0 RMSE)",
        "Hz",
        "lower",
        "How far the melody is off, where both voices are voiced. Read it beside the voicing error.",
        digits=1,
    ),
    Metric(
        "voicing_error",
        "Voicing error",
        "%",
        "lower",
        "Share of frames voiced in one and not in the other: what should hum, whispers, or the other "
        "way round.",
        digits=1,
        percent=True,
    ),
    Metric(
        "harmonicity_db",
        "Harmonicity in voiced frames",
        "dB",
        "near",
        "How much stronger the periodic part is than the noise, where the recording is voiced. Low: "
        "breathy or hoarse.",
        digits=1,
    ),
    Metric(
        "level_rms_voiced",
        "Level in voiced frames",
        "RMS",
        "near",
        "Loudness where the recording is voiced; full scale is 1. Low: vowels that do not sustain.",
        digits=3,
    ),
    Metric("level_rms", "Level", "RMS", "near", "Loudness of the whole utterance.", digits=3),
)

LIKELIHOOD = (
    Metric(
        "linear_predictor/bits_per_sample",
        "Linear predictor",
        "bits per sample",
        "lower",
        "What a 32nd-order linear predictor needs for each 16-bit sample of the test recordings: the "
        "mark to beat.",
        digits=3,
    ),
    Metric(
        "teacher/bits_per_sample",
        "Teacher",
        "bits per sample",
        "lower",
        "What the teacher needs for the same samples. 16 would be no idea at all.",
        digits=3,
    ),
    Metric(
        "linear_predictor/bits_per_sample_without_pauses",
        "Linear predictor, without pauses",
        "bits per sample",
        "lower",
        "The mark to beat where there is speech.",
        digits=3,
    ),
    Metric(
        "teacher/bits_per_sample_without_pauses",
        "Teacher, without pauses",
        "bits per sample",
        "lower",
        "Pauses are cheap; this is the cost of speech proper.",
        digits=3,
    ),
    Metric(
        "teacher/bits_per_sample_shuffled",
        "Teacher, with another sentence's features",
        "bits per sample",
        "higher",
        "The same samples, but the teacher is told the wrong words.",
        digits=3,
    ),
    Metric(
        "teacher/shuffled_gap_bits",
        "What the right features save",
        "bits per sample",
        "higher",
        "The difference. At zero the teacher ignores the text and will babble.",
        digits=3,
    ),
    Metric(
        "student/kl_nats_per_sample",
        "KL from student to teacher",
        "nats per sample",
        "lower",
        "How surprised the teacher is by the student's speech, beyond the student's own randomness. "
        "0 would be equality.",
        digits=3,
    ),
    Metric(
        "student/cross_entropy_nats_per_sample",
        "… its cross-entropy",
        "nats per sample",
        "lower",
        "The teacher's surprise alone.",
        digits=3,
    ),
    Metric(
        "student/entropy_nats_per_sample",
        "… its entropy",
        "nats per sample",
        "near",
        "The student's own randomness; the KL is cross-entropy minus entropy.",
        digits=3,
    ),
)

SPEED = (
    Metric(
        "teacher_uncached/samples_per_second",
        "Teacher, nothing remembered",
        "samples/s",
        "higher",
        "Every sample recomputes all the past it depends on.",
    ),
    Metric(
        "teacher_cached/samples_per_second",
        "Teacher, with cached states",
        "samples/s",
        "higher",
        "One step a sample: what synthesis with the teacher uses.",
    ),
    Metric(
        "student/samples_per_second",
        "Student",
        "samples/s",
        "higher",
        "All samples in one parallel pass.",
    ),
)
