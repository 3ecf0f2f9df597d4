"""A voice that is read back from a run folder."""

import pytest

from wavegen.runs.manifest import write_manifest
from wavegen.runs.voice import load_voice
from wavegen.runs.weights import build_model, save_weights
from wavegen.untrusted.parts import describe


@pytest.fixture(scope="session")
def voice_folder(mini_corpus, tmp_path_factory):
    """The run folder of a small voice that has learned nothing: both models with their initial weights."""
    run = tmp_path_factory.mktemp("run")
    part = {
        "_target_": "wavegen.nets.conditioning.FrameConditioning",
        "in_channels": mini_corpus.encoder.layout.num_features,
        "channels": 4,
        "hidden_channels": 4,
        "hop_samples": mini_corpus.hop_samples,
    }
    wavenet = {
        "_target_": "wavegen.nets.wavenet.WaveNet",
        "_partial_": True,
        "dilations": [1, 2],
        "residual_channels": 4,
        "gate_channels": 4,
        "skip_channels": 0,
        "output_channels": 4,
        "conditioning": [part],
    }
    models = {
        "teacher": {
            "_target_": "wavegen.models.speech.teacher.WaveNetTeacher",
            "head": {"_target_": "wavegen.distributions.heads.NormalHead", "min_log_scale": -9.0},
            "wavenet": wavenet,
        },
        "student": {
            "_target_": "wavegen.models.speech.student.WaveNetStudent",
            "wavenets": [wavenet, wavenet],
            "family": {"_target_": "wavegen.distributions.normal.Normal", "_partial_": True},
            "hop_samples": mini_corpus.hop_samples,
        },
    }
    write_manifest(
        run,
        models,
        {
            "sample_rate": mini_corpus.sample_rate,
            "hop_samples": mini_corpus.hop_samples,
            "encoder": mini_corpus.encoder.to_dict(),
            "front_end": describe(mini_corpus.front_end),
            "prosody": describe(mini_corpus.prosody),
        },
    )
    for name, config in models.items():
        save_weights(run, name, build_model(config, source="test"))
    return run


@pytest.fixture(scope="session")
def voice(voice_folder):
    return load_voice(voice_folder)
