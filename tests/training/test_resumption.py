import lightning
import pytest

from wavegen.training.resumption import Resumption


class SaveBehind(lightning.Callback):
    """Saves behind the batch that makes this step, before a validation that is due."""

    def __init__(self, step, path):
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer, module, *_):
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)


@pytest.mark.parametrize(
    ("saved_at", "validated"), [(1, [2, 4, 6]), (2, [2, 4, 6]), (3, [4, 6]), (4, [4, 6]), (5, [6])]
)
def test_a_resumed_run_validates_where_an_uninterrupted_one_would(fit_line, tmp_path, saved_at, validated):
    """A validation that is due at the checkpoint's step and was not made is made first."""
    path = tmp_path / "last.ckpt"
    settings = {"max_steps": 6, "validate_every_steps": 2}
    whole = fit_line([Resumption(2), SaveBehind(saved_at, path)], **settings)
    assert [step for step, _ in whole.validated] == [2, 4, 6]
    resumed = fit_line([Resumption(2)], ckpt_path=path, **settings)
    assert [step for step, _ in resumed.validated] == validated


def test_a_validation_that_was_made_is_not_made_again(fit_line, tmp_path):
    path = tmp_path / "last.ckpt"

    class SaveBehindValidation(lightning.Callback):
        def on_validation_end(self, trainer, module):
            if trainer.global_step == 2:
                trainer.save_checkpoint(path)

    settings = {"max_steps": 4, "validate_every_steps": 2}
    fit_line([Resumption(2), SaveBehindValidation()], **settings)
    resumed = fit_line([Resumption(2)], ckpt_path=path, **settings)
    assert [step for step, _ in resumed.validated] == [4]
