import lightning
import pytest

from wavegen.errors import UserError
from wavegen.training.progress_bar import StepProgress


def test_the_bar_tells_how_many_steps_there_will_be(budget_at):
    bar = StepProgress("teacher", budget_at(2.0, max_steps=400, max_minutes=10))
    assert bar.total_train_batches == 400, "before the first step nobody knows"
    bar._step = 30
    assert bar.total_train_batches == 150
    bar._step = 300
    assert bar.total_train_batches == 400


def test_minutes_stand_beside_the_bar_where_they_limit_it(fit_line, monkeypatch, budget_at):
    monkeypatch.delenv("CI", raising=False)
    bar = StepProgress("teacher", budget_at(2.0, max_steps=4, max_minutes=10))
    shown = {}

    class Look(lightning.Callback):
        def on_train_batch_end(self, trainer, module, *_):
            shown.update(bar.get_metrics(trainer, module), total=bar.train_progress_bar.total)

    fit_line([bar, Look()], max_steps=4, progress_bar=True)
    assert shown == {"minutes": "2.0/10", "total": 4}
    assert bar.train_progress_bar.desc.startswith("teacher")


def test_a_message_about_an_exception_begins_on_a_line_of_its_own(fit_line, monkeypatch, budget_at, capsys):
    monkeypatch.delenv("CI", raising=False)

    class Fail(lightning.Callback):
        def on_train_batch_end(self, trainer, module, *_):
            raise UserError("the disk is full")

    with pytest.raises(UserError):
        bar = StepProgress("teacher", budget_at(2.0, max_steps=4))
        fit_line([bar, Fail()], max_steps=4, progress_bar=True)
    said = capsys.readouterr()
    assert "teacher" in said.out + said.err and (said.err or said.out).endswith("\n")
