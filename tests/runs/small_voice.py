"""Descriptions of a small voice, and what is done to them."""

import json

import pytest

from wavegen.errors import UserError
from wavegen.runs.voice import load_voice

WAVENET = {
    "_target_": "wavegen.nets.wavenet.WaveNet",
    "_partial_": True,
    "dilations": {
        "_target_": "wavegen.nets.wavenet.dilation_cycles",
        "num_layers": 2,
        "cycle_length": 2,
    },
    "residual_channels": 4,
    "gate_channels": 4,
    "skip_channels": 0,
    "output_channels": 4,
}


TEACHER = {
    "_target_": "wavegen.models.speech.teacher.WaveNetTeacher",
    "head": {"_target_": "wavegen.distributions.heads.NormalHead", "min_log_scale": -9.0},
    "wavenet": WAVENET,
}


STUDENT = {
    "_target_": "wavegen.models.speech.student.WaveNetStudent",
    "wavenets": [WAVENET, WAVENET],
    "family": {"_target_": "wavegen.distributions.normal.Normal", "_partial_": True},
    "hop_samples": 40,
}


def rewrite(run, change):
    path = run / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def files(run):
    return {path.name: path.read_bytes() for path in run.iterdir()}


def assert_refused(run, *words):
    with pytest.raises(UserError) as caught:
        load_voice(run)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert str(word) in message
    return message
