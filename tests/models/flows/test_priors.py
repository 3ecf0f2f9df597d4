import torch

from wavegen.flows import Coupling, FactorOut, Squeeze
from wavegen.models.flows.multiscale import multiscale
from wavegen.models.flows.priors import learned_prior, standard_prior


def test_learned_prior_starts_standard_and_normalises_what_leaves():
    prior = learned_prior((4, 2, 2)).double()
    x = torch.randn(3, 4, 2, 2, dtype=torch.float64)
    z, log_det = prior(x)
    assert torch.equal(z, x) and log_det.count_nonzero() == 0
    with torch.no_grad():
        prior.conditioner.last.weight.normal_()
    z, log_det = prior(x)
    # what stays is untouched, and steers the location and scale of what leaves
    assert torch.equal(z[:, :2], x[:, :2]) and not torch.equal(z[:, 2:], x[:, 2:])
    parameters = prior.conditioner(x[:, :2])
    log_scale = 2 * torch.tanh(parameters[..., 1] / 2)
    torch.testing.assert_close(z[:, 2:], x[:, 2:] * log_scale.exp() + parameters[..., 0])
    torch.testing.assert_close(log_det, log_scale.flatten(1).sum(1))


def test_a_learned_prior_is_steered_by_the_context_too():
    prior = learned_prior((4, 2, 2), context_features=3).double()
    torch.nn.init.normal_(prior.conditioner.context.projection.weight)
    x, context = torch.randn(1, 4, 2, 2, dtype=torch.float64), torch.randn(2, 1, 3, dtype=torch.float64)
    first, second = (prior(x, its)[0] for its in context)
    assert torch.equal(first[:, :2], second[:, :2]) and (first[:, 2:] != second[:, 2:]).all()


def test_a_standard_prior_puts_nothing_in_front():
    def scale(shape, index):
        return Squeeze()

    flow = multiscale((1, 4, 4), num_scales=2, scale=scale, prior=standard_prior)
    assert [type(layer) for layer in flow.members] == [Squeeze, FactorOut]
    flow = multiscale((1, 4, 4), num_scales=2, scale=scale, prior=learned_prior)
    assert [type(layer) for layer in flow.members] == [Squeeze, Coupling, FactorOut]
