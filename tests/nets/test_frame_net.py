"""The frame net: how far it sees, and that an utterance's padding does not change it."""

import pytest
import torch

from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.nets.frame_net import FrameNet


def make(**options):
    torch.manual_seed(0)
    net = FrameNet(in_channels=3, num_parameters=4, hidden_channels=5, **{"kernel_size": 3} | options)
    return net.double()


def told(frames=20, batch=2):
    return SpeechContext(features=torch.randn(batch, 3, frames, dtype=torch.float64))


def test_a_frame_sees_context_frames_on_both_sides():
    net = make(num_convolutions=3)
    features = torch.randn(1, 3, 20, dtype=torch.float64, requires_grad=True)
    result = net(SpeechContext(features=features))
    assert result.shape == (1, 20, 4)
    (gradient,) = torch.autograd.grad(result[0, 10].sum(), features)
    seen = gradient[0].abs().sum(0).nonzero().flatten().tolist()
    assert net.context_frames == 3 and seen == list(range(7, 14))


def test_padding_with_the_last_frame_changes_nothing():
    net, short = make(), told(frames=9, batch=1)
    padded = short.take(torch.arange(15).clamp(max=8))
    torch.testing.assert_close(net(padded)[:, :9], net(short))


def test_it_begins_near_zero():
    assert make(output_gain=0.0)(told()).abs().max() == 0


def test_features_are_dropped_in_training_only():
    net, context = make(input_dropout=0.5), told()
    assert not torch.equal(net(context), net(context))
    net.eval()
    assert torch.equal(net(context), net(context))


def test_what_does_not_fit_is_named():
    with pytest.raises(UserError, match="odd kernel_size, got 4"):
        make(kernel_size=4)
    with pytest.raises(UserError, match="'features' has 2 features per frame, expected 3"):
        make()(SpeechContext(features=torch.zeros(1, 2, 5, dtype=torch.float64)))
    with pytest.raises(UserError, match="needs the context entry 'features'"):
        make()(SpeechContext(voiced=torch.zeros(1, 5)))
