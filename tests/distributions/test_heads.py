import math

import pytest
import torch

from wavegen.distributions.discrete_heads import BernoulliHead, CategoricalHead
from wavegen.distributions.heads import LogisticMixtureHead, MuLawHead, NormalHead
from wavegen.errors import UserError

HEADS = [
    LogisticMixtureHead(5, -9.0),
    LogisticMixtureHead(1, -9.0),
    NormalHead(-9.0),
    MuLawHead(64),
    CategoricalHead(5),
    BernoulliHead(),
]


@pytest.mark.parametrize("head", HEADS, ids=repr)
def test_shapes_and_the_common_calls(head):
    distribution = head(torch.randn(2, 7, head.num_parameters))
    assert distribution.batch_shape == (2, 7)
    x = distribution.sample_from_uniforms(torch.rand(2, 7), torch.rand(2, 7), temperature=0.8)
    assert distribution.log_prob(x).shape == (2, 7)
    assert distribution.sample((3,)).shape == (3, 2, 7)
    assert head.initial_bias().shape == (head.num_parameters,)


@pytest.mark.parametrize("head", HEADS, ids=repr)
def test_log_probabilities_are_float32_from_half_precision(head):
    parameters = torch.randn(2, 7, head.num_parameters, dtype=torch.bfloat16)
    assert head(parameters).log_prob(torch.zeros(2, 7)).dtype == torch.float32


@pytest.mark.parametrize("head", HEADS, ids=repr)
def test_wrong_width_is_refused(head):
    with pytest.raises(UserError, match=f"expected {head.num_parameters} parameters"):
        head(torch.zeros(2, head.num_parameters + 1))


def test_layout_and_floor_of_the_mixture():
    head = LogisticMixtureHead(2, -9.0)
    mixture = head(torch.tensor([1.0, 2.0, 0.1, 0.2, -20.0, -3.0]))
    assert mixture.logits.tolist() == [1.0, 2.0]
    assert mixture.loc.tolist() == pytest.approx([0.1, 0.2])
    assert mixture.log_scale.tolist() == [-9.0, -3.0]


@pytest.mark.parametrize("head", [LogisticMixtureHead(3, -9.0), NormalHead(-9.0)], ids=repr)
def test_shift_moves_the_density_and_nothing_else(head):
    parameters = torch.randn(2, 7, head.num_parameters, dtype=torch.float64)
    delta = torch.randn(2, 7, dtype=torch.float64)
    x = torch.randn(2, 7, dtype=torch.float64)
    shifted = head(head.shift_loc(parameters, delta)).continuous.log_prob(x + delta)
    torch.testing.assert_close(shifted, head(parameters).continuous.log_prob(x))


@pytest.mark.parametrize(
    "head", [LogisticMixtureHead(6, -9.0, initial_log_scale=-5.0), NormalHead(-9.0)], ids=repr
)
def test_initial_bias_is_centred_and_its_components_differ(head):
    distribution = head(head.initial_bias())
    assert abs(distribution.mean.item()) < 1e-6 and distribution.stddev.item() < 0.5
    if isinstance(head, LogisticMixtureHead):
        assert len(set(distribution.loc.tolist())) == 6
        assert distribution.log_scale.mean().item() == pytest.approx(-5.0, abs=0.3)


def test_a_scale_below_the_floor_learns_to_grow():
    head = NormalHead(-9.0)
    parameters = torch.tensor([0.0, -12.0], requires_grad=True)
    # a sample far away wants a larger scale
    (-head(parameters).log_prob(torch.tensor(0.5))).backward()
    assert parameters.grad[1] < 0 and math.isfinite(parameters.grad[1])


def test_no_component_is_refused():
    with pytest.raises(UserError, match="num_components"):
        LogisticMixtureHead(0, -9.0)
