"""The main results of the speech report as sentences, with a verdict if possible."""

from collections.abc import Mapping
from dataclasses import dataclass

from wavegen.report.page import known_values
from wavegen.report.systems import BESIDE_TEACHER

# If the harmonicity is lower than the recording's by more than this, vowels sound whispered.
HARMONICITY_MARGIN_DB = 6.0
# If the level of vowels differs from the recording's by more than this, the voice is too quiet or too loud.
LEVEL_MARGIN_DB = 3.0
# If more frames than this are voiced in one and unvoiced in the other, vowels break off or noise hums.
MOST_VOICING_ERROR = 0.2

LONGER_TEACHER = "train the teacher longer, with more teacher_training.max_steps or max_minutes"
SLOWER_TEACHER = "a lower teacher_training.optimizer.lr"
LONGER_STUDENT = "train the student longer, with more student_training.max_steps or max_minutes"

Metrics = Mapping[str, float | None]


@dataclass(frozen=True)
class Finding:
    """A sentence or two; ``verdict`` is "good", "bad" or "plain". What is bad names the next step."""

    verdict: str
    text: str


def judged(good: bool, text: str, next_step: str) -> Finding:
    """A finding with a verdict; if it is bad, ``next_step`` follows the text."""
    return Finding("good", text) if good else Finding("bad", f"{text} Next: {next_step}.")


def findings(metrics: Metrics, sample_rate: int) -> list[Finding]:
    """Sentences about likelihood, conditioning, KL, distance, phones, voicing and speed, if measured."""
    makers = (_bits, _conditioning, _teacher, _divergence, _distance, _recognition, _student, _speed)
    return [finding for maker in makers if (finding := maker(metrics, sample_rate)) is not None]


def _bits(metrics: Metrics, _: int) -> Finding | None:
    known = known_values(metrics, "teacher/bits_per_sample", "linear_predictor/bits_per_sample")
    if known is None:
        return None
    teacher, linear = known
    difference = f"{abs(linear - teacher):.2f} bits {'fewer' if teacher < linear else 'more'}"
    text = (
        f"The teacher needs {teacher:.2f} bits per sample of unseen speech, "
        f"{difference} than a linear predictor."
    )
    return judged(teacher < linear, text, f"{LONGER_TEACHER}; if its bits rise, {SLOWER_TEACHER}")


def _conditioning(metrics: Metrics, _: int) -> Finding | None:
    names = ("", "_low", "_high")
    known = known_values(metrics, *(f"teacher/shuffled_gap_bits{name}" for name in names))
    if known is None:
        return None
    gap, low, high = known
    interval = f"{gap:.3f} bits per sample (95 % interval {low:.3f} to {high:.3f})"
    if low > 0:
        return Finding("good", f"The teacher uses its conditioning: the right features save {interval}.")
    text = f"The teacher may not use its conditioning: the right features save {interval}."
    advice = f"check with `wavegen prepare` that texts and recordings belong together, then {LONGER_TEACHER}"
    return judged(False, text, advice)


def _divergence(metrics: Metrics, _: int) -> Finding | None:
    known = known_values(metrics, "student/kl_nats_per_sample")
    if known is None:
        return None
    return Finding("plain", f"The KL from the student to the teacher is {known[0]:.3f} nats per sample.")


def _distance(metrics: Metrics, _: int) -> Finding | None:
    metric = "log_spectral_distance_db"
    known = known_values(metrics, f"student/{metric}", f"white_noise/{metric}")
    teacher = metrics.get(f"teacher/{metric}")
    if known is None:
        return None
    student, noise = known
    # On the same speech, if the teacher speaks less.
    student = metrics.get(f"student{BESIDE_TEACHER}/{metric}") or student
    beside = f", that of the teacher {teacher:.1f} dB" if teacher is not None else ""
    text = (
        f"The log-spectral distance of the student from the recording is {student:.1f} dB{beside}, that of "
        f"white noise {noise:.1f} dB."
    )
    if teacher is None:
        good = student < noise
    else:
        good = abs(student - teacher) < abs(student - noise)
    return judged(good, text, LONGER_STUDENT)


def _recognition(metrics: Metrics, _: int) -> Finding | None:
    known = known_values(metrics, "student/phone_accuracy_relative", "shuffled/phone_accuracy_relative")
    if known is None:
        return None
    student, shuffled = known
    text = (
        f"A recogniser hears {100 * student:.0f} % as many of the student's phones as of the recording's "
        f"({100 * shuffled:.0f} % if another sentence is spoken)"
    )
    choices = known_values(metrics, "student/sentence_choice", "recording/sentence_choice")
    if choices is not None:
        text += f" and finds {100 * choices[0]:.0f} % of the sentences (recording: {100 * choices[1]:.0f} %)"
    good = student > (1 + shuffled) / 2
    advice = (
        "compare the source-filter model's phones in the table: if they are no better, train it longer, with "
        f"more source_filter_training.max_steps or max_minutes; else {LONGER_STUDENT}"
    )
    return judged(good, f"{text}.", advice)


def _teacher(metrics: Metrics, _: int) -> Finding | None:
    advice = (
        f"{LONGER_TEACHER}; if it is periodic but rough, a lower evaluation.teacher_voiced_temperature. "
        "Until then the student stays close to its source-filter model"
    )
    return _voiced_frames(metrics, "teacher", "free-running teacher", advice)


def _student(metrics: Metrics, _: int) -> Finding | None:
    return _voiced_frames(
        metrics, "student", "student", f"{LONGER_STUDENT}, with objective.power in its loss"
    )


def _voiced_frames(metrics: Metrics, system: str, name: str, advice: str) -> Finding | None:
    """Level, harmonicity and voicing of what a system speaks."""
    known = known_values(metrics, f"{system}/voiced_level_db")
    if known is None:
        return None
    (level_db,) = known
    good = abs(level_db) < LEVEL_MARGIN_DB
    text = f"In voiced frames, the {name} is {abs(level_db):.1f} dB {'below' if level_db < 0 else 'above'}"
    text += " the recording's level"
    harmonicity = known_values(metrics, f"{system}/harmonicity_db", "recording/harmonicity_db")
    if harmonicity is not None:
        good = good and harmonicity[0] > harmonicity[1] - HARMONICITY_MARGIN_DB
        text += f" and has a harmonicity of {harmonicity[0]:.1f} dB (recording: {harmonicity[1]:.1f} dB)"
    voicing = known_values(metrics, f"{system}/voicing_error")
    if voicing is not None:
        good = good and voicing[0] < MOST_VOICING_ERROR
        text += f"; its voicing is wrong in {100 * voicing[0]:.0f} % of the frames"
    return judged(good, f"{text}.", advice)


def _speed(metrics: Metrics, sample_rate: int) -> Finding | None:
    known = known_values(metrics, "student/samples_per_second")
    if known is None:
        return None
    (student,) = known
    rate = f"{student:,.0f} samples per second"
    text = f"The student synthesises {rate}: {student / sample_rate:.2g} times real time"
    teacher = metrics.get("teacher_cached/samples_per_second")
    if teacher:
        text += f", {student / teacher:.3g} times as fast as the teacher"
    return Finding("plain", text + ".")
