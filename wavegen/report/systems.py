"""Titles, descriptions and colours of the systems in a report."""

BESIDE_TEACHER = "_beside_teacher"
"""Ending of a system's name where it is measured on what the teacher speaks, if that is less."""

SYSTEM_TITLES = {
    "recording": "Recording",
    "source_filter": "Source-filter",
    "teacher": "Teacher",
    "student": "Student",
    "world": "WORLD",
    "griffin_lim": "Griffin-Lim",
    "shuffled": "Another sentence",
    "white_noise": "White noise",
}

SYSTEM_NOTES = {
    "recording": "The original recording, from the test part of the corpus, which the models have not seen.",
    "source_filter": "Pulses and noise through a filter, without a WaveNet, from the same phones and pitch.",
    "teacher": "The WaveNet, one sample after another, from the utterance's phones, timing and pitch.",
    "student": "The distilled network, all samples at once, from the same phones, timing and pitch.",
    "world": "The recording analysed and resynthesised by the WORLD vocoder: what pulses and noise can do.",
    "griffin_lim": "A waveform from the recording's mel spectrogram, without a model.",
    "shuffled": "The recording of another sentence: a metric of intelligibility has to reject it.",
    "white_noise": "Noise with the recording's level. A metric that prefers it is not useful.",
}

SYSTEM_COLOURS = {
    "recording": "#30343b",
    "source_filter": "#2a9d8f",
    "teacher": "#1769aa",
    "student": "#d1495b",
    "world": "#8f6f3e",
    "griffin_lim": "#7a8450",
    "shuffled": "#6f6a9c",
    "white_noise": "#a0a4ab",
}
