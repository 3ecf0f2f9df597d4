"""Titles, descriptions and colours of the systems in a report."""

SYSTEM_TITLES = {
    "recording": "Recording",
    "teacher": "Teacher",
    "student": "Student",
    "griffin_lim": "Griffin-Lim",
    "white_noise": "White noise",
}

SYSTEM_NOTES = {
    "recording": "The original recording, from the test part of the corpus, which the models have not seen.",
    "teacher": "The WaveNet, one sample after another, from the utterance's phones, timing and pitch.",
    "student": "The distilled network, all samples at once, from the same phones, timing and pitch.",
    "griffin_lim": "A waveform from the recording's mel spectrogram, without a model.",
    "white_noise": "Noise with the recording's level. A metric that prefers it is not useful.",
}

SYSTEM_COLOURS = {
    "recording": "#30343b",
    "teacher": "#1769aa",
    "student": "#d1495b",
    "griffin_lim": "#7a8450",
    "white_noise": "#a0a4ab",
}
