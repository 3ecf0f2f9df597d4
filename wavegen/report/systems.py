"""What the systems are called that speak in a report, and what they look like."""

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

SYSTEM_COLOURS = {
    "recording": "#30343b",
    "teacher": "#1769aa",
    "student": "#d1495b",
    "griffin_lim": "#7a8450",
    "white_noise": "#a0a4ab",
}
