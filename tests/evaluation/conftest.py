"""One small corpus and one untrained voice, both in their real formats, and one evaluation of them."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from wavegen.data.speech.corpus import Corpus
from wavegen.data.speech.prepare import prepare_corpus
from wavegen.data.speech.sources.sentences import SpokenSentences
from wavegen.evaluation.speech.evaluate import evaluate_voice
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd
from wavegen.runs.manifest import write_manifest
from wavegen.runs.voice import load_voice
from wavegen.runs.weights import build_model, save_weights
from wavegen.untrusted.parts import describe

SENTENCES = ("Go on <now>.", "See me.", "A red & bad day.", "You win.", "No, not I.", "We saw it.")


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Corpus:
    directory = tmp_path_factory.mktemp("corpus")
    sentences = directory / "sentences.txt"
    sentences.write_text("\n".join(SENTENCES), encoding="utf-8")
    source = SpokenSentences(EspeakFrontEnd(), sentences=str(sentences))
    return prepare_corpus(source, directory / "prepared", sample_rate=8000, num_dev=1, num_test=2, num_jobs=1)


def wavenet(corpus: Corpus) -> dict:
    conditioning = {
        "_target_": "wavegen.nets.conditioning.FrameConditioning",
        "in_channels": corpus.encoder.layout.num_features,
        "channels": 4,
        "hidden_channels": 4,
        "hop_samples": corpus.hop_samples,
    }
    return {
        "_target_": "wavegen.nets.wavenet.WaveNet",
        "_partial_": True,
        "dilations": [1, 2, 4],
        "kernel_size": 2,
        "residual_channels": 4,
        "gate_channels": 8,
        "skip_channels": 4,
        "output_channels": 4,
        "conditioning": [conditioning],
    }


@pytest.fixture(scope="session")
def run_directory(corpus, tmp_path_factory) -> Path:
    """The folder of a run whose models have their initial weights."""
    run = tmp_path_factory.mktemp("run")
    head = {
        "_target_": "wavegen.distributions.heads.LogisticMixtureHead",
        "num_components": 2,
        "min_log_scale": -9.0,
    }
    family = {"_target_": "wavegen.distributions.logistic.Logistic", "_partial_": True}
    models = {
        "teacher": {
            "_target_": "wavegen.models.speech.teacher.WaveNetTeacher",
            "head": head,
            "wavenet": wavenet(corpus),
        },
        "student": {
            "_target_": "wavegen.models.speech.student.WaveNetStudent",
            "wavenets": [wavenet(corpus)] * 2,
            "family": family,
            "hop_samples": corpus.hop_samples,
        },
    }
    write_manifest(
        run,
        models,
        {
            "sample_rate": corpus.sample_rate,
            "hop_samples": corpus.hop_samples,
            "encoder": corpus.encoder.to_dict(),
            "front_end": describe(corpus.front_end),
            "prosody": describe(corpus.prosody),
        },
    )
    torch.manual_seed(0)
    for name, config in models.items():
        save_weights(run, name, build_model(config, source="test"))
    (run / "config.yaml").write_text(
        f"seed: 0\ncorpus:\n  directory: {corpus.directory}\nnote: <script>alert(1)</script>\n",
        encoding="utf-8",
    )
    return run


@pytest.fixture(scope="session")
def evaluation(corpus, run_directory, tmp_path_factory) -> SimpleNamespace:
    """What ``evaluate_voice`` returned and wrote."""
    output = tmp_path_factory.mktemp("evaluation")
    metrics = evaluate_voice(
        load_voice(run_directory),
        corpus,
        output,
        max_teacher_seconds=0.6,
        run_directory=run_directory,
        progress=False,
    )
    index = json.loads((output / "samples" / "index.json").read_text(encoding="utf-8"))
    return SimpleNamespace(metrics=metrics, output=output, index=index)
