"""Perceptual distances: zero for equal sounds, in units of the corpus, blind to what they should be."""

from types import SimpleNamespace

import pytest
import torch

from wavegen.errors import UserError
from wavegen.models.speech.phone_classifier import PhoneClassifier
from wavegen.objectives.perceptual import PerceptualLoss, gram

HOP = 40


@pytest.fixture
def loss():
    classifier = PhoneClassifier(
        num_phones=4, sample_rate=8000, hop_samples=HOP, num_filters=8, channels=6, num_layers=3, dropout=0.5
    )
    return PerceptualLoss(classifier=classifier.double()).double()


def noise(*shape):
    return 0.1 * torch.randn(*shape, dtype=torch.float64)


def test_equal_waveforms_are_at_distance_zero_and_others_are_not(loss):
    recording, sample = noise(2, 100 * HOP), noise(2, 100 * HOP)
    sample[:, 2000:] *= 0.01
    loss.fit_to_data(list(recording))
    assert loss.distances(recording, recording) == (0, 0)
    feature, style = loss.distances(sample, recording)
    assert feature > 0.01 and style > 0.001


def test_the_style_is_that_of_any_order_and_the_features_are_not(loss):
    """Reversing the order of long parts changes only what is near their boundary."""
    loud, quiet = noise(1, 400 * HOP), 0.01 * noise(1, 400 * HOP)
    recording, swapped = torch.cat([loud, quiet], 1), torch.cat([quiet, loud], 1)
    loss.fit_to_data(list(recording))
    feature, style = loss.distances(swapped, recording)
    assert style < 0.01 * feature


def test_distances_are_the_papers_in_units_of_the_recordings(loss):
    recording, sample = noise(1, 50 * HOP), noise(1, 50 * HOP)
    loss.fit_to_data([recording[0]])
    feature = style = 0.0
    for one, other in zip(
        loss.classifier.activations(sample), loss.classifier.activations(recording), strict=True
    ):
        feature += (one - other).square().sum() / other.square().sum() / 3
        products = [torch.einsum("bct,bdt->bcd", layer, layer) / layer.shape[-1] for layer in (one, other)]
        style += (products[0] - products[1]).square().sum() / products[1].square().sum() / 3
    found = loss.distances(sample, recording)
    torch.testing.assert_close(found, (feature, style), rtol=1e-6, atol=0)
    torch.testing.assert_close(gram(one), products[0])
    mask = torch.ones(recording.shape, dtype=torch.bool)
    term = loss(SimpleNamespace(sample=sample, recording=recording, mask=mask))
    torch.testing.assert_close(term.value, 0.1 * feature + style, rtol=1e-6, atol=0)
    torch.testing.assert_close(
        (term.log["feature_distance"], term.log["style_distance"]), (feature, style), rtol=1e-6, atol=0
    )


def test_descent_moves_the_sample_towards_the_recording(loss):
    recording, sample = noise(1, 50 * HOP), 0.02 * noise(1, 50 * HOP)
    loss.fit_to_data([recording[0]])
    for index in (0, 1):
        share = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
        loss.distances(sample + share * (recording - sample), recording)[index].backward()
        assert share.grad < 0


def test_the_classifier_stays_as_it_was(loss):
    recording = noise(1, 50 * HOP)
    loss.fit_to_data([recording[0]])
    loss.train()
    sample = noise(1, 50 * HOP).requires_grad_()
    mask = torch.ones(recording.shape, dtype=torch.bool)
    step = SimpleNamespace(sample=sample, recording=recording, mask=mask)
    first = loss(step).value
    first.backward()
    assert loss(step).value == first, "no dropout"
    assert sample.grad.any() and all(parameter.grad is None for parameter in loss.classifier.parameters())
    assert not loss.state_dict() and not list(loss.parameters()), "neither trained nor saved"
    assert not loss.classifier.training and loss.float().classifier.filters.dtype == torch.float32


def test_only_scored_samples_count(loss):
    recording, sample = noise(2, 2, 100 * HOP)
    mask = torch.zeros(recording.shape, dtype=torch.bool)
    mask[:, 10 * HOP : 60 * HOP] = True
    loss.fit_to_data(list(recording))
    step = SimpleNamespace(sample=sample, recording=recording, mask=mask)
    before = loss(step).value
    sample[:, 60 * HOP :] = 7.0
    assert loss(step).value == before > 0


def test_without_a_corpus_it_is_refused(loss):
    with pytest.raises(UserError, match="has no reference level"):
        loss.distances(noise(1, 400), noise(1, 400))


def test_it_is_fitted_and_computed_on_another_device(device, loss):
    """The recordings of a corpus lie on the CPU."""
    recordings = [noise(4000), noise(2400)]
    own = loss.eval()
    own.fit_to_data(recordings)
    expected = own.distances(recordings[0][None], recordings[0][None].flip(-1))
    own.to(device).fit_to_data(recordings)
    found = own.distances(recordings[0][None].to(device), recordings[0][None].flip(-1).to(device))
    for one, other in zip(found, expected, strict=True):
        assert one.device == device
        torch.testing.assert_close(one.cpu(), other)
