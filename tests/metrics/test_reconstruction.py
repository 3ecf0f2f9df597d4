import torch

from wavegen.flows import Chain, Flow, Rescale, StandardNormal, UniformDequantization
from wavegen.metrics.reconstruction import reconstruction_error


def test_reconstruction_compares_behind_the_dequantisation():
    chain = Chain(UniformDequantization(4), Rescale(scale=6.0, loc=-3.0))
    flow = Flow(bijection=chain, base=StandardNormal((1, 2, 2)))
    x = torch.randint(4, (5, 1, 2, 2)).float()
    error = reconstruction_error(flow, x)
    assert error.shape == (5,) and error.max() < 1e-6

    class Off(Rescale):
        def inverse(self, z, context=None):
            x, log_det = super().inverse(z, context)
            return x + 0.25 * (x > 0.5), log_det

    off = Flow(
        bijection=Chain(UniformDequantization(4), Off(scale=6.0, loc=-3.0)), base=StandardNormal((1, 2, 2))
    )
    torch.testing.assert_close(
        reconstruction_error(off, torch.full((2, 1, 2, 2), 3.0)), torch.full((2,), 0.25)
    )


class Known(torch.nn.Module):
    def reconstruct(self, x, context):
        return x, x + context[:, None] * torch.tensor([[0.5, -1.0, 0.0]])


def test_the_error_is_the_largest_of_every_event_whatever_its_sign():
    error = reconstruction_error(Known(), torch.randn(3, 3, requires_grad=True), torch.tensor([0.0, 1.0, -3]))
    torch.testing.assert_close(error, torch.tensor([0.0, 1.0, 3.0]))
    assert not error.requires_grad
