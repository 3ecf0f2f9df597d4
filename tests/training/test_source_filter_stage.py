"""The first stage of a voice: trained once, resumable, part of the teacher and student on it."""

import pytest
import torch
from safetensors.torch import load_file

from wavegen.runs.folder import open_run
from wavegen.runs.voice import load_voice
from wavegen.training.source_filter_stage import train_source_filter
from wavegen.training.speech_stage import fill_in_voice
from wavegen.training.speech_stages import train_student, train_teacher


def start(config, corpus):
    fill_in_voice(config, corpus)
    return open_run(config)


def trained(config, corpus):
    return train_source_filter(config, corpus, start(config, corpus))


def test_a_killed_and_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(
    compose_config, killed_at, mini_corpus, tmp_path, monkeypatch
):
    trained(compose_config("source_filter", f"run={tmp_path / 'whole'}"), mini_corpus)
    with monkeypatch.context() as patch:
        killed_at(patch, step=5, save_at=4)
        with pytest.raises(RuntimeError, match="power cut"):
            trained(compose_config("source_filter", f"run={tmp_path / 'killed'}"), mini_corpus)
    trained(compose_config("source_filter", f"run={tmp_path / 'killed'}"), mini_corpus)
    whole, resumed = (
        load_file(tmp_path / name / "source_filter.safetensors") for name in ("whole", "killed")
    )
    assert whole.keys() == resumed.keys()
    for name in whole:
        assert torch.equal(whole[name], resumed[name]), name


def test_teacher_and_student_are_built_on_it(compose_config, mini_corpus, tmp_path):
    config = compose_config("distill", "source_filter=default", f"run={tmp_path / 'run'}")
    run = start(config, mini_corpus)
    teacher = train_teacher(config, mini_corpus, run)
    student = train_student(config, mini_corpus, run, teacher)
    voice = load_voice(run)
    own = voice.source_filter.state_dict()
    for name, tensor in teacher.source_filter.state_dict().items():
        assert torch.equal(tensor, own[name]), name
    theirs = voice.source_filter.voice.bijection.state_dict()
    for name, tensor in student.voice.state_dict().items():
        assert torch.equal(tensor, theirs[name]), name
    assert voice.teacher.source_filter is not None and voice.student.voice is not None


def test_without_one_the_models_are_the_papers(compose_config, mini_corpus, tmp_path):
    config = compose_config("teacher", f"run={tmp_path / 'run'}")
    run = start(config, mini_corpus)
    assert train_source_filter(config, mini_corpus, run) is None
    assert train_teacher(config, mini_corpus, run).source_filter is None
    assert load_voice(run).source_filter is None
