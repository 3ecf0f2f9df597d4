"""Trainings that end by steps or by the clock: what they do by then, and how they go on."""

import json
import os
import signal

import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from wavegen.errors import UserError
from wavegen.interruption import Interrupted
from wavegen.runs.folder import open_run
from wavegen.training import clock as clock_module
from wavegen.training.budget import Budget
from wavegen.training.density import DensityTraining
from wavegen.training.schedule import OneCycle
from wavegen.training.speech_stage import fill_in_voice
from wavegen.training.speech_stages import train_student, train_teacher


class Time:
    """Stands in for the module ``time``: its clocks move when they are told to."""

    def __init__(self):
        self.seconds = 1e6

    def perf_counter(self):
        return self.seconds

    process_time = perf_counter


@pytest.fixture
def time(monkeypatch):
    """Training steps last a minute each, and so do batches of validations."""
    time = Time()
    monkeypatch.setattr(clock_module, "time", time)
    for hook in ("training_step", "validation_step"):
        original = getattr(DensityTraining, hook)

        def a_minute(self, batch, batch_idx, original=original):
            time.seconds += 60
            return original(self, batch, batch_idx)

        monkeypatch.setattr(DensityTraining, hook, a_minute)
    return time


@pytest.fixture
def timed(train_flow):
    """``timed(run, max_minutes, *overrides)``: the flow with more steps than it has time for."""

    def train(run, max_minutes, *overrides):
        budget = [f"flow_training.max_minutes={max_minutes}", "flow_training.max_steps=1000"]
        return train_flow(run, *budget, "trainer.log_every_n_steps=1", *overrides)

    return train


def cost_of(run):
    return json.loads((run / "training.json").read_text())


def logged(run, tag):
    events = EventAccumulator(str(run / "tensorboard" / "flow"), size_guidance={"scalars": 0})
    return [event.value for event in events.Reload().Scalars(tag)]


def test_time_ends_a_training_behind_the_step_and_a_validation(timed, time, tmp_path):
    never = "flow_training.validate_every_steps=500"
    timed(tmp_path, 4.5, never)
    cost = cost_of(tmp_path)
    assert (cost["steps"], cost["best_step"]) == (5, 5)
    assert cost["wall_s"] == 60 * (5 + 2), "five steps, and two batches of the validation at the end"
    assert len(logged(tmp_path, "dev/bits_per_dimension")) == 1


def test_validations_count_and_one_that_uses_up_the_time_is_the_last(timed, time, tmp_path):
    timed(tmp_path, 5)  # three steps, then a validation of two minutes
    cost = cost_of(tmp_path)
    assert (cost["steps"], cost["best_step"], cost["wall_s"]) == (3, 3, 300)
    assert len(logged(tmp_path, "dev/bits_per_dimension")) == 1


def test_no_time_is_time_for_one_step(timed, time, tmp_path):
    timed(tmp_path, 1e-6)
    assert (cost_of(tmp_path)["steps"], cost_of(tmp_path)["best_step"]) == (1, 1)


def test_steps_end_a_training_that_has_time_left(train_flow, time, tmp_path):
    train_flow(tmp_path / "limited", "flow_training.max_minutes=1000")
    train_flow(tmp_path / "free")
    assert cost_of(tmp_path / "limited") == cost_of(tmp_path / "free")
    limited, free = (load_file(tmp_path / name / "flow.safetensors") for name in ("limited", "free"))
    assert all(torch.equal(limited[name], free[name]) for name in free)


def test_the_rate_follows_the_minutes(timed, time, tmp_path):
    timed(tmp_path, 10, "flow_training.validate_every_steps=500", "flow_training.schedule.warmup=0.35")
    rate = OneCycle(warmup=0.35, initial=0.05, final=0.001)
    # A rate is set when the step before it ends: the first by its number, the n-th at n − 1 minutes of ten.
    expected = [1e-3 * rate(max(minutes / 10, (minutes + 1) / 1000), 1 / 1000) for minutes in range(10)]
    assert logged(tmp_path, "lr-Adam") == pytest.approx(expected, rel=1e-6)


def test_a_resumed_training_has_the_time_that_is_left(timed, time, tmp_path, monkeypatch, heeded_signals):
    """Its clock stands still while nothing runs, so that it ends as the one that was not stopped."""
    timed(tmp_path / "whole", 11)
    with monkeypatch.context() as patch:
        original = DensityTraining.training_step

        def interrupted(self, batch, batch_idx):
            if self.global_step == 3:
                os.kill(os.getpid(), signal.SIGTERM)
            return original(self, batch, batch_idx)

        patch.setattr(DensityTraining, "training_step", interrupted)
        with pytest.raises(Interrupted):
            timed(tmp_path / "stopped", 11)
    time.seconds += 10**7  # a night and more
    timed(tmp_path / "stopped", 11)
    assert cost_of(tmp_path / "stopped") == cost_of(tmp_path / "whole")
    whole, stopped = (load_file(tmp_path / name / "flow.safetensors") for name in ("whole", "stopped"))
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)


def test_a_training_whose_time_is_up_ends_at_once_with_its_validation(
    timed, time, tmp_path, monkeypatch, heeded_signals
):
    timed(tmp_path / "whole", 2)
    with monkeypatch.context() as patch:
        original = DensityTraining.validation_step

        def interrupted(self, batch, batch_idx):
            os.kill(os.getpid(), signal.SIGTERM)
            return original(self, batch, batch_idx)

        patch.setattr(DensityTraining, "validation_step", interrupted)
        with pytest.raises(Interrupted) as caught:
            timed(tmp_path / "stopped", 2)
    assert caught.value.kept == "the flow is saved at step 2"
    time.seconds += 10**7
    timed(tmp_path / "stopped", 2)
    whole, stopped = (cost_of(tmp_path / name) for name in ("whole", "stopped"))
    assert (stopped["steps"], stopped["best_step"]) == (whole["steps"], whole["best_step"]) == (2, 2)
    whole, stopped = (load_file(tmp_path / name / "flow.safetensors") for name in ("whole", "stopped"))
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)


def test_the_best_so_far_is_the_checkpoints_own(timed, time, tmp_path, monkeypatch):
    """A run that was killed had a better step than the resumed one, which has less time, will come to."""
    from wavegen.training import density_stage

    original = DensityTraining.mean_cost

    def better_and_better(self, batch):
        return original(self, batch) - self.global_step

    monkeypatch.setattr(DensityTraining, "mean_cost", better_and_better)
    every_step = ["flow_training.validate_every_steps=1", "flow_training.checkpoint_every_minutes=1000"]
    with monkeypatch.context() as patch:

        def killed(self, batch, batch_idx):
            if self.global_step == 1:
                self.trainer.save_checkpoint(tmp_path / "checkpoints" / "flow" / "last.ckpt")
            if self.global_step == 3:
                raise RuntimeError("power cut")
            time.seconds += 60
            return self.mean_cost(batch)

        patch.setattr(DensityTraining, "training_step", killed)
        with pytest.raises(RuntimeError, match="power cut"):
            timed(tmp_path, 20, *every_step)
    best = []
    monkeypatch.setattr(density_stage, "write_cost", lambda run, training, step: best.append(step))
    time.seconds += 10**7
    with monkeypatch.context() as patch:
        patch.setattr(DensityTraining, "mean_cost", lambda self, batch: original(self, batch) + 1e6)
        timed(tmp_path, 20, *every_step)
    assert best == [1]


@pytest.mark.parametrize(
    ("budget", "reason"),
    [
        ({"max_steps": 0}, "max_steps must be a whole number of at least 1, got 0"),
        ({"max_steps": -1}, "max_steps .* got -1"),
        ({"max_steps": True}, "max_steps .* got True"),
        ({"max_steps": None}, "max_steps .* got None"),
        ({"max_steps": 1, "max_minutes": 0}, "max_minutes must be a number above 0, or null, got 0"),
        ({"max_steps": 1, "max_minutes": -2.5}, "max_minutes .* got -2.5"),
        ({"max_steps": 1, "max_minutes": float("nan")}, "max_minutes .* got nan"),
        ({"max_steps": 1, "max_minutes": float("inf")}, "max_minutes .* got inf"),
        ({"max_steps": 1, "max_minutes": "ten"}, "max_minutes .* got 'ten'"),
        ({"max_steps": 1, "max_minutes": True}, "max_minutes .* got True"),
    ],
)
def test_what_is_no_budget_is_named(budget, reason):
    with pytest.raises(UserError, match=reason):
        Budget(**budget)


def test_progress_is_that_of_whichever_is_further(budget_at):
    budget = budget_at(3.0, max_steps=200, max_minutes=10)
    assert [budget.progress(step) for step in (0, 50, 60, 70, 200, 300)] == [0.3, 0.3, 0.3, 0.35, 1.0, 1.0]
    assert [budget.as_steps(step) for step in (0, 70, 300)] == [60, 70, 200]
    assert budget_at(11.0, max_steps=200, max_minutes=10).progress(0) == 1.0
    unlimited = budget_at(1e9, max_steps=380)
    assert [unlimited.as_steps(step) for step in range(381)] == list(range(381)), "to the digit"


@pytest.mark.parametrize("max_steps", [1, 2, 3, 10, 20])
def test_short_trainings_of_both_stages_end_with_finite_weights(
    compose_config, mini_corpus, tmp_path, max_steps
):
    """Ten and twenty once divided by zero in the schedule, of ten and five per cent of warm-up."""
    limits = [f"{stage}_training.max_steps={max_steps}" for stage in ("teacher", "student")]
    warmup = "student_training.schedule.warmup=0.1"
    config = compose_config("distill", *limits, warmup, f"run={tmp_path}")
    fill_in_voice(config, mini_corpus)
    run = open_run(config)
    train_student(config, mini_corpus, run, train_teacher(config, mini_corpus, run))
    for stage in ("teacher", "student"):
        state = torch.load(run / "checkpoints" / stage / "last.ckpt", weights_only=True)
        assert state["global_step"] == max_steps
        weights = load_file(run / f"{stage}.safetensors").values()
        assert all(torch.isfinite(tensor).all() for tensor in weights)
