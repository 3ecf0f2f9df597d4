"""What stands between whole pixel levels and the body of a flow."""

import pytest
import torch
from torch.distributions import Independent, Normal

from wavegen.errors import UserError
from wavegen.flows import (
    Flow,
    Logit,
    Reversal,
    Squeeze,
    StandardLogistic,
    UniformDequantization,
)
from wavegen.models.flows.dequantized import (
    EmbeddedContext,
    centred,
    image_flow,
    scaled_logit,
    variational_noise,
)


def test_preprocessing():
    y = torch.tensor([0.0, 0.25, 1.0], dtype=torch.float64)
    assert centred()(y)[0].tolist() == [-0.5, -0.25, 0.5]
    z, log_det = scaled_logit(0.05)(y)
    p = 0.05 + 0.9 * y
    torch.testing.assert_close(z, Logit()(p)[0])
    torch.testing.assert_close(log_det, (0.9 / (p * (1 - p))).log())
    for alpha in (0.0, 0.5):
        with pytest.raises(UserError, match="between 0 and ½"):
            scaled_logit(alpha)


def test_variational_noise_starts_uniform_and_is_conditioned_on_the_image():
    noise = variational_noise(image_shape=(1, 8, 8), hidden_channels=4).double()
    image = 2 * torch.rand(3, 1, 8, 8, dtype=torch.float64) - 1
    u, log_q = noise(image).rsample_and_log_prob()
    assert u.shape == image.shape and u.min() > 0 and u.max() < 1
    torch.testing.assert_close(log_q, torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-9)
    with torch.no_grad():
        for parameter in noise.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    u, log_q = noise(image).rsample_and_log_prob()
    torch.testing.assert_close(log_q, noise(image).log_prob(u.detach()), rtol=1e-8, atol=1e-8)
    assert not torch.isclose(noise(image).log_prob(u), noise(-image).log_prob(u)).any()


def test_an_image_flow_is_its_parts_over_a_base_of_the_latents_shape():
    flow = image_flow((1, 2, 2), body=Squeeze(), preprocessing=centred(), base=StandardLogistic)
    members = list(flow.bijection.members)
    assert isinstance(members[0], UniformDequantization) and members[0].num_levels == 256
    assert isinstance(members[2], Squeeze) and isinstance(flow.base, StandardLogistic)
    assert flow().event_shape == (1, 2, 2) and flow.base.event_shape == (4, 1, 1)


def test_a_given_dequantisation_is_taken():
    own = UniformDequantization(4)
    flow = image_flow((1, 2, 2), body=Squeeze(), preprocessing=centred(), dequantization=own)
    assert flow.bijection.members[0] is own


def test_an_embedding_is_computed_once_and_handed_to_the_flow():
    calls = []

    class Embedding(torch.nn.Module):
        def forward(self, context):
            calls.append(context)
            return 2 * context

    def base(context):
        return Independent(Normal(context, 1.0), 1)

    model = EmbeddedContext(embedding=Embedding(), flow=Flow(bijection=Reversal(1), base=base))
    context, x = torch.randn(4, 3), torch.randn(4, 3)
    expected = Normal(2 * context, 1.0).log_prob(x.flip(-1)).sum(-1)
    torch.testing.assert_close(model(context).log_prob(x), expected)
    assert len(calls) == 1


def test_variational_noise_needs_an_even_size():
    with pytest.raises(UserError, match="variational_noise: .* divisible by 2.* got 7 × 8"):
        variational_noise(image_shape=(1, 7, 8))
