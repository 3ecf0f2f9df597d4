import re
from pathlib import Path

import pytest
from hydra.errors import InstantiationException
from omegaconf import OmegaConf

from wavegen.calls import build, build_all, locate
from wavegen.errors import UserError


def test_options_complete_what_the_configuration_says():
    config = OmegaConf.create({"_target_": "wavegen.objectives.draws.StratifiedDraws"})
    assert build(config, num_draws=7).num_draws == 7


def test_parts_are_made_before_what_they_are_parts_of():
    draws = {"_target_": "wavegen.objectives.draws.IndependentDraws", "num_draws": 3}
    made = build({"_target_": "wavegen.objectives.monte_carlo_kl.MonteCarloKL", "draws": draws})
    assert made.draws.num_draws == 3


def test_a_user_error_of_a_part_arrives_as_it_was_raised():
    head = {"_target_": "wavegen.distributions.discrete_heads.CategoricalHead", "num_levels": 1}
    with pytest.raises(UserError, match="^num_levels: expected at least 2") as raised:
        build(OmegaConf.create({"_target_": "builtins.dict", "head": head}))
    assert isinstance(raised.value.__cause__, InstantiationException)


def test_any_other_failure_of_a_constructor_stays_what_hydra_makes_of_it():
    with pytest.raises(InstantiationException) as raised:
        build({"_target_": "fractions.Fraction", "numerator": 1, "denominator": 0})
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


DRAWS = "wavegen.objectives.draws.StratifiedDraws"
KL = "wavegen.objectives.monte_carlo_kl.MonteCarloKL"


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (
            {"_target_": "wavegen.objectives.draws.Nope"},
            "a.b names wavegen.objectives.draws.Nope, which cannot be imported: wavegen.objectives.draws has "
            "no 'Nope'",
        ),
        (
            {"_target_": "wavegen.objectives.nope.Nope"},
            "a.b names wavegen.objectives.nope.Nope, which cannot be imported: No module named "
            "'wavegen.objectives.nope'",
        ),
        ({"_target_": "nowhere_at_all.X"}, "a.b names nowhere_at_all.X, which cannot be imported: No module"),
        ({"_target_": ".x"}, "a.b names .x, which cannot be imported: "),
        ({"_target_": 3}, "a.b._target_ is 3, expected the name of a class or function"),
        ({"_target_": "math.pi"}, "a.b: Expected a callable target"),
        (
            {"_target_": DRAWS, "num_drwas": 7},
            f"a.b has the argument 'num_drwas', which {DRAWS} does not take",
        ),
        ({"_target_": KL}, f"a.b has no 'draws', which {KL} needs"),
        (
            {"_target_": KL, "draws": {"_target_": DRAWS, "num_drwas": 7}},
            "a.b.draws has the argument 'num_drwas'",
        ),
        ({"_target_": KL, "draws": {"num_draws": 7}}, "a.b.draws has no _target_, expected the name of a"),
        ({"_target_": "torch.optim.Adam", "_partial_": True, "rate": 1}, "a.b has the argument 'rate'"),
        ({"num_draws": 7}, "a.b has no _target_, expected the name of a class or function"),
    ],
)
def test_what_cannot_be_called_is_named_with_its_key(node, said):
    with pytest.raises(UserError) as raised:
        build(OmegaConf.create({"a": {"b": node}}).a.b)
    assert str(raised.value).startswith(said) and "\n" not in str(raised.value)


def test_nothing_is_called_before_everything_has_been_checked(tmp_path):
    log = tmp_path / "called"
    first = {"_target_": "pathlib.Path.touch", "self": {"_target_": "pathlib.Path", "_args_": [str(log)]}}
    with pytest.raises(UserError, match="^second names nowhere.X"):
        build({"_target_": "builtins.dict", "first": first, "second": {"_target_": "nowhere.X"}})
    assert not log.exists()


def test_a_part_without_a_key_of_its_own_is_called_the_configuration():
    with pytest.raises(UserError, match=f"^the configuration has the argument 'x', which {DRAWS}"):
        build({"_target_": DRAWS, "x": 1})
    with pytest.raises(UserError, match="^draws has no _target_"):
        build({"_target_": KL, "draws": {}})


def test_a_container_of_calls_need_not_be_one():
    made = build_all({"one": {"_target_": DRAWS, "num_draws": 2}, "none": None, "weight": 3.0})
    assert (made["one"].num_draws, made["none"], made["weight"]) == (2, None, 3.0)
    with pytest.raises(UserError, match="^one.inner has the argument 'x', which"):
        build_all({"one": {"inner": {"_target_": DRAWS, "x": 1}}})
    assert build(None) is None and build(OmegaConf.create({"a": None}).a) is None


TAKERS = """
from typing import Any

class Mapped:
    def __init__(self, x: dict[str, int] | None):
        self.x = x

class Anything:
    def __init__(self, x: Any):
        self.x = x

class Unannotated:
    def __init__(self, x):
        self.x = x
"""


@pytest.mark.parametrize("taker", ["Mapped", "Anything", "Unannotated"])
def test_a_mapping_may_be_an_argument_where_the_signature_admits_one(taker, tmp_path, monkeypatch):
    (tmp_path / "takers_of_mappings.py").write_text(TAKERS)
    monkeypatch.syspath_prepend(tmp_path)
    made = build({"_target_": f"takers_of_mappings.{taker}", "x": {"a": 1}}, _convert_="all")
    assert made.x == {"a": 1}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "import nowhere_at_all\n",
            "ModuleNotFoundError: No module named 'nowhere_at_all' (broken_1.py, line 1)",
        ),
        ("a = 1\nb = undefined\n", "NameError: name 'undefined' is not defined (broken_2.py, line 2)"),
        ("a = (\n", "'(' was never closed (broken_3.py, line 1)"),
    ],
)
def test_what_goes_wrong_within_a_module_is_said_with_its_line(text, reason, tmp_path, monkeypatch):
    name = re.search(r"broken_\d", reason)[0]
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError) as raised:
        locate(f"{name}.X", "objective.x")
    assert str(raised.value) == f"objective.x names {name}.X, which cannot be imported: {reason}"


def test_a_name_within_a_class_is_found():
    assert locate("pathlib.Path.touch", "x") is Path.touch
