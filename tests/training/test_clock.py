import pytest

from wavegen.training import clock as clock_module
from wavegen.training.clock import TrainingClock


class Time:
    """Stands in for the module ``time``: its clocks show what they are told to."""

    wall, cpu = 1000.0, 50.0

    def perf_counter(self):
        return self.wall

    def process_time(self):
        return self.cpu


@pytest.fixture
def time(monkeypatch):
    time = Time()
    monkeypatch.setattr(clock_module, "time", time)
    return time


def test_it_runs_between_start_and_end_only(time):
    clock = TrainingClock()
    assert clock.elapsed() == (0.0, 0.0)
    clock.on_train_start(None, None)
    time.wall, time.cpu = time.wall + 10, time.cpu + 30
    assert clock.elapsed() == (10.0, 30.0)
    clock.on_train_end(None, None)
    time.wall, time.cpu = time.wall + 100, time.cpu + 100
    assert clock.elapsed() == (10.0, 30.0)


def test_a_second_sitting_adds_to_the_checkpoints_time(time):
    first = TrainingClock()
    first.on_train_start(None, None)
    time.wall += 7
    state = first.state_dict()
    time.wall += 5  # behind the checkpoint: lost with what was done in it
    second = TrainingClock()
    second.load_state_dict(state)
    second.on_train_start(None, None)
    time.wall += 2
    assert second.elapsed() == (9.0, 0.0) and second.state_dict() == {"wall_s": 9.0, "cpu_s": 0.0}


def test_a_real_training_takes_time(fit_line):
    clock = TrainingClock()
    fit_line([clock], max_steps=2)
    wall_s, _ = clock.elapsed()
    assert 0 < wall_s < 60 and clock.elapsed()[0] == wall_s
