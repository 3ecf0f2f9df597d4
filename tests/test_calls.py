import pytest
from hydra.errors import InstantiationException
from omegaconf import OmegaConf

from wavegen.calls import build
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


def test_any_other_failure_stays_what_hydra_makes_of_it():
    with pytest.raises(InstantiationException):
        build({"_target_": "wavegen.objectives.draws.StratifiedDraws", "num_drwas": 7})
