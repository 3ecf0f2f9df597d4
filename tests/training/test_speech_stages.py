"""Fitting through Lightning: resumption, divergence, interruption, and runs that are not the same."""

import dataclasses

import pytest
import torch
from safetensors.torch import load_file

from wavegen.errors import UserError
from wavegen.report.curves import read_curves
from wavegen.runs.folder import open_run, resume_config
from wavegen.training.speech_stage import fill_in_voice
from wavegen.training.speech_stages import find_teacher_voice, train_student, train_teacher


def start(config, corpus):
    """The run folder of a recipe, as its script opens it."""
    fill_in_voice(config, corpus)
    return open_run(config)


def run_teacher(config, corpus, run, callbacks=()):
    config.run = str(run)
    folder = start(config, corpus)
    return train_teacher(config, corpus, folder)


@pytest.mark.parametrize("accumulate_batches", [1, 3])
def test_a_killed_and_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(
    compose_config, killed_at, mini_corpus, tmp_path, monkeypatch, accumulate_batches
):
    overrides = ["teacher_training.precision=32-true", "teacher.wavenet.input_dropout=0.5"]
    overrides += [f"teacher_training.accumulate_batches={accumulate_batches}"]
    overrides += [f"corpus.directory={mini_corpus.directory}"]
    run_teacher(compose_config("teacher", *overrides), mini_corpus, tmp_path / "whole")
    with monkeypatch.context() as patch:
        killed_at(patch, step=5, save_at=4)
        with pytest.raises(RuntimeError, match="power cut"):
            run_teacher(compose_config("teacher", *overrides), mini_corpus, tmp_path / "killed")
    assert not (tmp_path / "killed" / "teacher.safetensors").exists()
    config = compose_config("teacher", f"resume={tmp_path / 'killed'}")
    config = resume_config(config)
    train_teacher(config, mini_corpus, start(config, mini_corpus))
    whole, resumed = (load_file(tmp_path / name / "teacher.safetensors") for name in ("whole", "killed"))
    assert whole.keys() == resumed.keys()
    for name in whole:
        assert torch.equal(whole[name], resumed[name]), name


def test_distillation_goes_all_the_way_and_is_not_repeated(compose_config, mini_corpus, tmp_path):
    config = compose_config("distill", f"run={tmp_path / 'run'}")
    run = start(config, mini_corpus)
    teacher = train_teacher(config, mini_corpus, run)
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    train_student(config, mini_corpus, run, teacher)
    for name, tensor in teacher.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)
    written = (run / "student.safetensors").stat().st_mtime_ns
    train_student(config, mini_corpus, run, train_teacher(config, mini_corpus, run))
    assert (run / "student.safetensors").stat().st_mtime_ns == written


def test_gaussian_teacher_and_student(compose_config, mini_corpus, tmp_path):
    config = compose_config(
        "distill", f"run={tmp_path}", "teacher=gaussian", "student=gaussian", "objective=gaussian"
    )
    run = start(config, mini_corpus)
    train_student(config, mini_corpus, run, train_teacher(config, mini_corpus, run))
    assert (run / "student.safetensors").exists()


def test_nan_stops_with_step_and_term_and_keeps_the_checkpoint(
    compose_config, mini_corpus, tmp_path, monkeypatch
):
    import wavegen.training.teacher as teacher_module

    calls = []

    def poisoned(*args):
        calls.append(1)
        value = negative_log_likelihood(*args)
        return value * float("nan") if len(calls) == 5 else value

    negative_log_likelihood = teacher_module.negative_log_likelihood
    monkeypatch.setattr(teacher_module, "negative_log_likelihood", poisoned)
    with pytest.raises(UserError, match="step 4: the term 'negative log-likelihood' is nan"):
        run_teacher(compose_config("teacher"), mini_corpus, tmp_path)
    assert not (tmp_path / "teacher.safetensors").exists()


def test_ctrl_c_saves_a_checkpoint(compose_config, mini_corpus, tmp_path, monkeypatch):
    import wavegen.training.teacher as teacher_module

    original = teacher_module.TeacherTraining.training_step

    def interrupted(self, batch, batch_idx):
        if self.global_step == 3:
            raise KeyboardInterrupt
        return original(self, batch, batch_idx)

    monkeypatch.setattr(teacher_module.TeacherTraining, "training_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_teacher(compose_config("teacher"), mini_corpus, tmp_path)
    checkpoint = torch.load(tmp_path / "checkpoints" / "teacher" / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 3


def test_truncated_trainer_state_is_named(compose_config, mini_corpus, tmp_path):
    last = tmp_path / "checkpoints" / "teacher" / "last.ckpt"
    last.parent.mkdir(parents=True)
    last.write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(UserError, match="last.ckpt cannot be read"):
        run_teacher(compose_config("teacher"), mini_corpus, tmp_path)


def test_another_configuration_in_the_same_folder_is_refused(compose_config, mini_corpus, tmp_path):
    config = compose_config("teacher", f"run={tmp_path}")
    start(config, mini_corpus)
    start(config, mini_corpus)
    other = compose_config("teacher", f"run={tmp_path}", "teacher_training.batch_size=3")
    with pytest.raises(UserError, match="'teacher_training.batch_size'"):
        start(other, mini_corpus)


def test_resume_of_no_run_is_named(compose_config, tmp_path):
    with pytest.raises(UserError, match="config.yaml is missing"):
        resume_config(compose_config("teacher", f"resume={tmp_path}"))


def test_teacher_of_another_sample_rate_or_layout_is_refused(compose_config, mini_corpus, tmp_path):
    run_teacher(compose_config("teacher", "teacher_training.max_steps=1"), mini_corpus, tmp_path / "a")
    config = compose_config("distill", f"teacher_checkpoint={tmp_path / 'a'}", f"run={tmp_path / 'b'}")
    faster = dataclasses.replace(mini_corpus, sample_rate=16000)
    with pytest.raises(UserError, match="8000 Hz but the corpus has 16000 Hz"):
        find_teacher_voice(config, faster)
    encoder = mini_corpus.encoder
    layout = dataclasses.replace(encoder.layout, phones=encoder.layout.phones[:-1])
    encoder = type(encoder)(layout, encoder.mean.tolist(), encoder.std.tolist())
    other = dataclasses.replace(mini_corpus, encoder=encoder)
    with pytest.raises(UserError, match="feature layout"):
        find_teacher_voice(config, other)


def test_ctrl_c_during_a_validation_saves_weights_and_average_untorn(
    compose_config, mini_corpus, tmp_path, monkeypatch
):
    import wavegen.training.teacher as teacher_module

    def interrupted(self, batch, batch_idx):
        raise KeyboardInterrupt

    overrides = ["teacher_training.precision=32-true"]
    run_teacher(compose_config("teacher", *overrides), mini_corpus, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(teacher_module.TeacherTraining, "validation_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_teacher(compose_config("teacher", *overrides), mini_corpus, tmp_path / "stopped")
    run_teacher(compose_config("teacher", *overrides), mini_corpus, tmp_path / "stopped")
    whole, resumed = (load_file(tmp_path / name / "teacher.safetensors") for name in ("whole", "stopped"))
    for name in whole:
        assert torch.equal(whole[name], resumed[name]), name


def test_gradients_that_are_no_numbers_stop_the_run(compose_config, mini_corpus, tmp_path, monkeypatch):
    import wavegen.training.teacher as teacher_module

    original = teacher_module.negative_log_likelihood

    def rough(teacher, *args):
        value = original(teacher, *args)
        tap = next(teacher.parameters())
        return value + (tap - tap.detach()).abs().sqrt().sum()  # zero, with a slope that is none

    monkeypatch.setattr(teacher_module, "negative_log_likelihood", rough)
    with pytest.raises(UserError, match="step 0: the term 'gradient norm' is"):
        run_teacher(compose_config("teacher"), mini_corpus, tmp_path)


QUIET = """
import torch
from wavegen.objectives.distillation import DistillationStep, Term

class Quiet(torch.nn.Module):
    def forward(self, step: DistillationStep) -> Term:
        power = step.sample[step.mask].square().mean()
        return Term(power, {"quiet_level": power.detach().sqrt()})
"""


def test_a_term_is_added_by_a_file_and_configuration_alone(
    compose_config, mini_corpus, tmp_path, monkeypatch
):
    """Nothing of training, evaluation or report knows its name; it is trained, logged and drawn."""
    (tmp_path / "my_loss.py").write_text(QUIET)
    monkeypatch.syspath_prepend(tmp_path)
    entry = "{loss: {_target_: my_loss.Quiet}, weight: 0.5, warmup_steps: 2}"
    config = compose_config("distill", f"run={tmp_path / 'run'}", f"+objective.quiet={entry}")
    run = start(config, mini_corpus)
    train_student(config, mini_corpus, run, train_teacher(config, mini_corpus, run))
    panels = read_curves(run)
    assert {"student: quiet", "student: quiet level"} <= panels.keys()
    assert {curve.source for curve in panels["student: quiet"]} == {"train", "dev"}
