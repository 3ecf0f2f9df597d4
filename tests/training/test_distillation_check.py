"""A distillation is tried before hours of training, and what is wrong with a loss is said in one sentence."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from wavegen.errors import UserError
from wavegen.objectives.distillation import Term
from wavegen.resources import resource_directory
from wavegen.runs.weights import build_model
from wavegen.training.distillation_check import check_critic, check_distillable, check_term, trial_step
from wavegen.training.speech_stage import fill_in_voice
from wavegen.training.stage import save_model
from wavegen.untrusted import targets


@pytest.mark.parametrize(
    ("choice", "reason"),
    [("teacher=original", "needs a teacher with a density"), ("objective=gaussian", "needs a Gaussian")],
)
def test_what_does_not_go_together_is_refused_before_anything_is_trained(
    compose_config, mini_corpus, choice, reason
):
    config = compose_config("distill", choice)
    fill_in_voice(config, mini_corpus)
    with pytest.raises(UserError, match=reason):
        check_distillable(config, mini_corpus, None)


LOSSES = """
import torch
from torch import nn
from wavegen.objectives.distillation import DistillationStep, Term

class Fine(nn.Module):
    def __init__(self, name: str = "level"):
        super().__init__()
        self.name = name

    def forward(self, step):
        power = step.sample[step.mask].square().mean()
        return Term(power, {self.name: power.sqrt(), "length": 1})

class Unannotated(Fine):
    def __init__(self, frame_ms=20):
        super().__init__()
"""


@pytest.fixture
def losses(importable):
    return importable("losses_to_try", LOSSES)


@pytest.fixture
def check(compose_config, mini_corpus, losses):
    """``check(name=(class, "argument:value", …))``: the check with these losses beside the usual ones."""

    def run(**entries):
        words = []
        for name, (kind, *settings) in entries.items():
            inner = ",".join([f"_target_:{losses}.{kind}", *settings])
            words.append(f"+objective.{name}={{loss:{{{inner}}}}}")
        config = compose_config("distill", *words)
        fill_in_voice(config, mini_corpus)
        check_distillable(config, mini_corpus, None)

    return run


def test_losses_that_fit_pass_and_leave_the_random_state_alone(check):
    state = torch.get_rng_state()
    check(one=("Fine",))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (
            {"a": ("Fine",), "b": ("Fine",)},
            "objective.b logs 'level', and so does objective.a, expected other names",
        ),
        (
            {"a": ("Fine", "name:power")},
            "objective.power logs 'power', and so does objective.a, expected other names",
        ),
        (
            {"a": ("Fine", "name:student_std")},
            "objective.a logs 'student_std', and so does the training itself, expected other names",
        ),
    ],
)
def test_a_name_that_is_logged_twice_is_named(check, entries, said):
    with pytest.raises(UserError) as error:
        check(**entries)
    assert str(error.value) == said


def test_a_loss_that_could_not_be_resumed_is_refused_before_it_is_trained(check, losses, monkeypatch):
    """Only where ``configs/`` names it: a run with parts of one's own is not resumed by ``resume=``."""
    check(a=("Unannotated", "frame_ms:10"))
    allowed = targets.allowed_targets() | {f"{losses}.Unannotated"}
    monkeypatch.setattr(targets, "allowed_targets", lambda: allowed)
    said = f"objective.a.loss: {losses}.Unannotated does not annotate its argument 'frame_ms': expected int, "
    with pytest.raises(UserError, match=said):
        check(a=("Unannotated", "frame_ms:10"))


class Returning(nn.Module):
    """A loss that returns what it was given."""

    def __init__(self, given):
        super().__init__()
        self.given = given

    def forward(self, step):
        return self.given


class Without(nn.Module):
    pass


class Narrow(nn.Module):
    def forward(self):
        return Term(torch.tensor(0.0))


ONE = torch.tensor(1.0)


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (Without(), "Without has no forward, expected forward(step) -> Term"),
        (Narrow(), "Narrow has forward(), expected forward(step) -> Term"),
        (Returning(ONE), "Returning returns a tensor of shape (), expected a Term(value, log)"),
        (Returning(None), "Returning returns None, expected a Term(value, log)"),
        (
            Returning((ONE, 2)),
            "Returning returns a tuple (a tensor of shape (), an object of int), expected a Term(value, log)",
        ),
        (
            Returning(Term(torch.zeros(2))),
            "the value of Returning is a tensor of shape (2,), expected a scalar tensor",
        ),
        (Returning(Term(1.0)), "the value of Returning is an object of float, expected a scalar tensor"),
        (Returning(Term(ONE / 0)), "the value of Returning is inf, expected a finite number"),
        (Returning(Term(ONE * torch.nan)), "the value of Returning is nan, expected a finite number"),
        (Returning(Term(ONE, [ONE])), "the log of Returning is an object of list, expected scalars by name"),
        (
            Returning(Term(ONE, {"x": torch.zeros(2)})),
            "Returning logs a tensor of shape (2,) as 'x', expected a scalar",
        ),
        (Returning(Term(ONE, {"x": "y"})), "Returning logs an object of str as 'x', expected a scalar"),
    ],
)
def test_what_is_no_term_is_named_with_its_entry(loss, said):
    with pytest.raises(UserError) as error:
        check_term("objective.bad", loss, None)
    assert str(error.value).removeprefix("objective.bad: ") == said


def test_a_term_is_what_the_loss_returned():
    term = Term(ONE, {"x": ONE, "y": 2, "z": 0.5})
    assert check_term("objective.fine", Returning(term), None) is term


class Judging(Returning):
    """A loss whose critic's loss is what it was given."""

    critic = nn.Linear(1, 1)
    optimizer = torch.optim.Adam

    def critic_loss(self, step):
        return self.given


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (ONE * torch.nan, "the critic's loss of Judging is nan, expected a finite number"),
        (1.0, "the critic's loss of Judging is an object of float, expected a scalar tensor"),
        (torch.zeros(2), "the critic's loss of Judging is a tensor of shape (2,), expected a scalar tensor"),
    ],
)
def test_what_is_no_critic_s_loss_is_named_with_its_entry(given, said):
    with pytest.raises(UserError) as error:
        check_critic("objective.bad", Judging(given), SimpleNamespace(without_gradient=lambda: None))
    assert str(error.value).removeprefix("objective.bad: ") == said


def test_a_critic_s_loss_is_logged_under_the_entry_s_name():
    step = SimpleNamespace(without_gradient=lambda: None)
    assert check_critic("objective.fine", Judging(ONE), step) == ["fine_critic"]
    assert check_critic("objective.fine", Returning(Term(ONE)), step) == []


def test_every_term_that_comes_with_wavegen_is_tried(compose_config, mini_corpus, tmp_path):
    """All together, with an untrained classifier for the perceptual one."""
    part = {"_target_": "wavegen.models.speech.phone_classifier.PhoneClassifier", "num_phones": 3}
    part |= {"sample_rate": 8000, "hop_samples": 40, "channels": 4, "num_layers": 2}
    save_model(tmp_path, "classifier", build_model(part, source="test"), part, {"sample_rate": 8000})
    names = sorted(path.stem for path in (resource_directory("configs") / "term").glob("[!_]*.yaml"))
    config = compose_config("distill", f"term=[{','.join(names)}]", f"classifier_checkpoint={tmp_path}")
    fill_in_voice(config, mini_corpus)
    check_distillable(config, mini_corpus, None)
    assert set(names) <= set(config.objective) and len(names) >= 6
    config.classifier_checkpoint = None
    with pytest.raises(UserError, match="classifier_checkpoint must be given"):
        check_distillable(config, mini_corpus, None)


@pytest.mark.parametrize(("segment_s", "scored"), [(0.05, 400), (2.0, 3200), (0.001, 40)])
def test_the_step_that_is_tried_looks_like_one_of_the_training(
    compose_config, mini_corpus, segment_s, scored
):
    config = compose_config("distill", f"student_training.segment_s={segment_s}")
    fill_in_voice(config, mini_corpus)
    step = trial_step(config, nn.Linear(1, 1), nn.Linear(1, 1))
    assert step.recording.shape == step.mask.shape == (2, 40 + scored)
    assert step.mask.sum().item() == 2 * scored and not step.mask[:, :40].any()
    assert step.context["features"].shape == (2, config.voice.num_features, scored // 40 + 2)
    assert 0.005 < step.recording.std() < 0.02 and not step.teacher.training


def test_the_loss_in_the_documentation_is_one():
    page = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(from torch import nn\n.*?)```", page, re.DOTALL)[1]
    module = {"__name__": "documented"}
    exec(code, module)
    mask = torch.tensor([[False, True, True], [True, True, False]])
    step = SimpleNamespace(sample=torch.tensor([[9.0, 1.0, 2.0], [3.0, 2.0, 9.0]]), mask=mask)
    term = check_term("objective.loudness", module["Loudness"](level=2.0), step)
    assert (term.value.item(), term.log["student_power"].item()) == (0.5, 4.5)
