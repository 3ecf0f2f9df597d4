import pytest
import torch
from torch.distributions import Independent, Normal

from wavegen.errors import UserError
from wavegen.flows import Affine, Elementwise, Flow, StandardNormal
from wavegen.flows.draws import ConditionalDraw, with_context


def around(condition):
    return Independent(Normal(condition.sum(-1, keepdim=True).expand(-1, 2), 0.5), 1)


@pytest.mark.parametrize("lead", [(), (4,), (2, 3)])
def test_draws_have_the_density_of_their_own_condition(lead):
    condition = torch.randn(*lead, 3, dtype=torch.float64)
    drawing = ConditionalDraw(around, condition, (2,), owner="Layer")
    value, log_prob = drawing.draw()
    expected = Normal(condition.sum(-1, keepdim=True), 0.5).log_prob(value).sum(-1)
    assert value.shape == (*lead, 2) and log_prob.shape == lead
    torch.testing.assert_close(log_prob, expected)
    torch.testing.assert_close(drawing.log_prob(value), expected)


def test_a_model_that_looks_at_no_condition_draws_one_value_a_member():
    base = StandardNormal((2,)).double()
    drawing = ConditionalDraw(base, torch.randn(5, 3, dtype=torch.float64), (2,), owner="Layer")
    value, log_prob = drawing.draw()
    assert value.shape == (5, 2) and len(value.unique()) == 10
    torch.testing.assert_close(log_prob, base().log_prob(value))


def test_a_flow_gives_draw_and_density_that_belong_together():
    bijection = Elementwise(transform=Affine(), shape=(2,), initial_std=1.0)
    flow = Flow(bijection=bijection, base=StandardNormal((2,))).double()
    drawing = ConditionalDraw(lambda _: flow(), torch.zeros(5, 3), (2,), owner="Layer")
    value, log_prob = drawing.draw()
    torch.testing.assert_close(flow().log_prob(value), log_prob)


def test_gradients_pass_through_the_draw_to_the_condition():
    condition = torch.zeros(4, 3, dtype=torch.float64, requires_grad=True)
    value, _ = ConditionalDraw(around, condition, (2,), owner="Layer").draw()
    value.sum().backward()
    assert torch.equal(condition.grad, torch.full((4, 3), 2.0, dtype=torch.float64))


def test_a_model_of_another_event_or_batch_is_named():
    with pytest.raises(
        UserError, match=r"Layer: expected .* shape \(3,\) in a batch of 4, got events of \(2,\)"
    ):
        ConditionalDraw(around, torch.zeros(4, 3), (3,), owner="Layer")
    with pytest.raises(UserError, match=r"in a batch of 4, got events of \(2,\) in a batch of shape \(2,\)"):
        ConditionalDraw(lambda c: around(c[:2]), torch.zeros(4, 3), (2,), owner="Layer")


@pytest.mark.parametrize("named", [False, True])
def test_a_model_of_value_and_context(named):
    def model(condition):
        assert sorted(condition) == (["style", "value"] if named else ["context", "value"])
        loc = condition["value"].sum(-1, keepdim=True) + condition["style" if named else "context"]
        return Independent(Normal(loc, 0.5), 1)

    value, context = torch.randn(2, 4, 3), torch.randn(4, 2)
    given = {"style": context} if named else context
    drawing = ConditionalDraw(model, value, (2,), owner="Layer", context=given, reader=with_context)
    drawn, log_prob = drawing.draw()
    expected = Normal(value.sum(-1, keepdim=True) + context, 0.5).log_prob(drawn).sum(-1)
    torch.testing.assert_close(log_prob, expected)


def test_a_context_that_cannot_be_joined_is_refused():
    with pytest.raises(UserError, match="expected a context, got None"):
        with_context(torch.zeros(2, 3), None)
    with pytest.raises(UserError, match="without the name 'value'"):
        with_context(torch.zeros(2, 3), {"value": torch.zeros(2, 3)})
