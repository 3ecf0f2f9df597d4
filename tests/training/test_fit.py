"""What fitting promises beside the weights: the average it keeps, and what it writes into the log."""

import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from wavegen.runs.folder import open_run, resume_config
from wavegen.training import fit as fit_module
from wavegen.training.averaging import PolyakAverage
from wavegen.training.density import DensityTraining
from wavegen.training.speech_stage import fill_in_voice
from wavegen.training.speech_stages import train_student, train_teacher


def start(config, corpus):
    """The run folder of a recipe, as its script opens it."""
    fill_in_voice(config, corpus)
    return open_run(config)


TEACHER_DEV = """
bits_per_sample bits_per_sample_without_pauses bits_per_sample_shuffled shuffled_gap_bits
""".split()
STUDENT = """
loss divergence kl_nats cross_entropy_nats entropy_nats kl_standard_error power
student_mean student_std student_peak student_log_scale recording_std
""".split()
SPOKEN = "speech_level speech_harmonicity_db recording_level recording_harmonicity_db".split()


class Trajectory(PolyakAverage):
    """Keeps what is averaged, and the average after each step."""

    own: list
    averages: list

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        super().on_train_batch_end(trainer, module, outputs, batch, batch_idx)
        names = [name for name, _ in module.named_parameters()]
        type(self).own.append(flat(module.parameters()))
        type(self).averages.append(flat(self.weights[name] for name in names))


def flat(parameters):
    return torch.cat([parameter.detach().flatten().double() for parameter in parameters])


def test_training_ends_with_the_average_and_resumption_carries_it_on(
    compose_config, mini_corpus, tmp_path, monkeypatch
):
    recorded = type("Recorded", (Trajectory,), {"own": [], "averages": []})
    monkeypatch.setattr(fit_module, "PolyakAverage", recorded)
    overrides = [f"run={tmp_path}", "teacher_training.precision=32-true", "teacher_training.schedule=null"]
    overrides += [f"corpus.directory={mini_corpus.directory}"]
    config = compose_config("teacher", *overrides, "teacher_training.max_steps=3")
    run = start(config, mini_corpus)
    train_teacher(config, mini_corpus, run)
    (run / "teacher.safetensors").unlink()
    started = resume_config(compose_config("teacher", f"resume={tmp_path}"))
    started.teacher_training.max_steps = 6
    train_teacher(started, mini_corpus, run)
    assert len(recorded.averages) == 6
    before = recorded.averages[0]
    for count in range(1, 6):
        rate = 1 - min(0.998, (1 + count) / (10 + count))
        expected = before + rate * (recorded.own[count] - before)
        torch.testing.assert_close(recorded.averages[count], expected, rtol=0, atol=1e-6)
        before = recorded.averages[count]
    saved = torch.cat(
        [tensor.flatten().double() for tensor in load_file(run / "teacher.safetensors").values()]
    )
    assert saved.sum() == pytest.approx(recorded.averages[-1].sum().item(), abs=1e-9)
    assert not torch.allclose(recorded.averages[-1], recorded.own[-1], rtol=0, atol=1e-6)


def logged(run, stage):
    events = EventAccumulator(str(run / "tensorboard" / stage), size_guidance={"scalars": 0, "audio": 0})
    events.Reload()
    scalars = {tag: [event.value for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    return scalars, set(events.Tags()["audio"])


def test_the_log_holds_every_promised_number(compose_config, mini_corpus, tmp_path):
    overrides = [f"run={tmp_path}", "teacher_training.speak_every_num_validations=1"]
    overrides += ["trainer.log_every_n_steps=1"]
    config = compose_config("distill", *overrides)
    run = start(config, mini_corpus)
    train_student(config, mini_corpus, run, train_teacher(config, mini_corpus, run))
    expected = {
        "teacher": ["train/bits_per_sample", *(f"dev/{name}" for name in TEACHER_DEV)],
        "student": [f"{split}/{name}" for split in ("train", "dev") for name in STUDENT],
    }
    for stage, names in expected.items():
        scalars, audio = logged(run, stage)
        assert {*names, *(f"spoken/{name}" for name in SPOKEN)} <= scalars.keys()
        assert {"spoken/0", "recording/0", "spoken/1", "recording/1"} <= audio
        for name in names:
            assert len(scalars[name]) == (6 if name.startswith("train/") else 2), name
            assert all(abs(value) < 1e6 for value in scalars[name]), name
        assert 0.01 < scalars["spoken/recording_level"][0] < 1
    student, _ = logged(run, "student")
    for split in ("train", "dev"):
        terms = zip(
            student[f"{split}/kl_nats"],
            student[f"{split}/cross_entropy_nats"],
            student[f"{split}/entropy_nats"],
            strict=True,
        )
        assert all(kl == pytest.approx(cross - entropy, abs=1e-3) for kl, cross, entropy in terms)
    assert all(error > 0 for error in student["dev/kl_standard_error"])
    assert student["train/student_log_scale"][0] == pytest.approx(-3, abs=0.5), "initial_scale is 0.05"


@pytest.mark.parametrize("spelling", ["local://{victim}", "{folder}/../../../{name}"])
def test_a_checkpoint_handed_over_deletes_nothing(
    compose_config, killed_at, mini_corpus, tmp_path, monkeypatch, spelling
):
    """Lightning keeps in a checkpoint which file its next save makes superfluous, and deletes that."""
    keys = []

    class Recorded(fit_module.Resumption):
        def on_train_start(self, trainer, module):
            keys.append(trainer.checkpoint_callback.state_key)
            super().on_train_start(trainer, module)

    monkeypatch.setattr(fit_module, "Resumption", Recorded)
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "letters.txt").write_text("dear all", encoding="utf-8")
    config = compose_config("teacher", f"run={tmp_path / 'run'}")
    config.teacher_training.checkpoint_every_minutes = 1e-5
    run = start(config, mini_corpus)
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="power cut"):
        killed_at(patch, step=5, save_at=4)
        train_teacher(config, mini_corpus, run)
    last = run / "checkpoints" / "teacher" / "last.ckpt"
    content = torch.load(last, weights_only=True)
    path = spelling.format(victim=victim, folder=last.parent.absolute(), name=victim.name)
    content["callbacks"][keys[0]] = {"best_model_path": path, "best_model_score": None}
    torch.save(content, last)
    train_teacher(config, mini_corpus, run)
    assert (victim / "letters.txt").read_text(encoding="utf-8") == "dear all"
    assert last.exists()


def test_a_step_is_the_mean_gradient_of_its_batches_each_with_noise_of_its_own(
    train_flow, tmp_path, monkeypatch
):
    noise, costs, steps = [], [], []
    training_step, on_step = DensityTraining.training_step, DensityTraining.on_before_optimizer_step

    def seen(self, batch, number):
        generator = torch.random.get_rng_state()
        noise.append(torch.rand(()).item())
        torch.random.set_rng_state(generator)
        costs.append(torch.autograd.grad(self.mean_cost(batch), list(self.model.parameters())))
        torch.random.set_rng_state(generator)
        return training_step(self, batch, number)

    def stepped(self, optimizer):
        steps.append([parameter.grad.clone() for parameter in self.model.parameters()])
        on_step(self, optimizer)

    monkeypatch.setattr(DensityTraining, "training_step", seen)
    monkeypatch.setattr(DensityTraining, "on_before_optimizer_step", stepped)
    words = ["accumulate_batches=3", "max_steps=2", "precision=32-true"]
    train_flow(tmp_path, *(f"flow_training.{word}" for word in words))
    assert len(noise) == len(set(noise)) == 6 and len(steps) == 2
    for step, gradients in enumerate(steps):
        for index, gradient in enumerate(gradients):
            mean = sum(cost[index] for cost in costs[3 * step : 3 * step + 3]) / 3
            torch.testing.assert_close(gradient, mean, rtol=1e-4, atol=1e-6)


def test_a_gpu_that_is_not_used_does_not_choose_the_precision(monkeypatch):
    """With trainer.accelerator=cpu beside a GPU, bfloat16 of a CPU that emulates it was chosen."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    monkeypatch.setattr(fit_module, "multiplies_bfloat16", lambda: False)
    assert fit_module.fastest_precision("cpu") == "32-true"
    assert fit_module.fastest_precision("auto") == fit_module.fastest_precision("gpu") == "bf16-mixed"
