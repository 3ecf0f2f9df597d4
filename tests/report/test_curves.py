"""Curves come back from TensorBoard's files, resumed runs included."""

import numpy as np
import pytest
from torch.utils.tensorboard import SummaryWriter

from wavegen.report.curves import Curve, read_curves
from wavegen.report.plots import loss_figure


def write_events(directory, scalars, suffix):
    with SummaryWriter(str(directory), filename_suffix=suffix) as writer:
        for tag, step, value in scalars:
            writer.add_scalar(tag, value, step)


def test_stages_and_sources_meet_in_panels(tmp_path):
    teacher, student = tmp_path / "tensorboard" / "teacher", tmp_path / "tensorboard" / "student"
    bits = [("train/bits_per_sample", step, 12.0 - step / 100) for step in range(100)]
    write_events(teacher, [*bits, ("dev/bits_per_sample", 99, 11.5), ("lr-Adam", 1, 0.1)], ".0")
    write_events(
        student, [("train/kl_nats", 3, 1.0), ("epoch", 3, 0.0), ("dev/kl_nats", 3, float("nan"))], ".0"
    )
    panels = read_curves(tmp_path)
    assert list(panels) == ["teacher: bits per sample", "student: kl nats"]
    train, dev = panels["teacher: bits per sample"]
    assert (dev.source, train.source) == ("dev", "train")
    np.testing.assert_array_equal(train.steps, np.arange(100))
    np.testing.assert_allclose(train.values, 12 - np.arange(100) / 100, rtol=1e-6)

    picture = tmp_path / "figures" / "loss_curves.png"
    loss_figure(panels, picture)
    assert picture.read_bytes().startswith(b"\x89PNG") and not list(picture.parent.glob(".*"))


def test_whatever_was_logged_is_shown_in_its_order_and_speech_last(tmp_path):
    logged = ["loss", "zeta", "a_term_of_my_own"]
    scalars = [("spoken/speech_level", 1, 0.1), *((f"train/{name}", 1, 1.0) for name in logged)]
    write_events(tmp_path / "tensorboard" / "student", scalars, ".0")
    names = ["loss", "zeta", "a term of my own", "speech level"]
    assert list(read_curves(tmp_path)) == [f"student: {name}" for name in names]


@pytest.mark.parametrize("names", ["ab", "ba"])
def test_a_resumed_runs_later_values_win(tmp_path, names):
    """Whatever the order of the files' names, which is not always that of their times."""
    stage = tmp_path / "tensorboard" / "teacher"
    write_events(stage, [("train/loss", 1, 1.0), ("train/loss", 2, 2.0)], ".1")
    write_events(stage, [("train/loss", 2, 5.0), ("train/loss", 3, 3.0)], ".2")
    for path, name in zip(sorted(stage.iterdir(), key=lambda path: path.suffix), names, strict=True):
        path.rename(path.with_name(f"events.out.tfevents.0.{name}"))
    ((curve,),) = read_curves(tmp_path).values()
    assert curve.steps.tolist() == [1, 2, 3] and curve.values.tolist() == [1.0, 5.0, 3.0]


def test_a_run_without_logs_has_no_curves(tmp_path):
    assert read_curves(tmp_path) == {}


def test_running_mean_follows_a_level_and_smooths_noise():
    noise = np.random.default_rng(0).normal(5.0, 1.0, 2000)
    smooth = Curve("train", np.arange(2000), noise).running_mean()
    assert abs(smooth[-1] - 5.0) < 0.3 and smooth[500:].std() < 0.25
    np.testing.assert_array_equal(Curve("train", np.arange(50), np.ones(50)).running_mean(), np.ones(50))
