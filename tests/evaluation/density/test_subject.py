import torch
from torch.distributions import Independent, Normal

from wavegen.data.context import LabelContext, NoContext
from wavegen.data.images.image_set import ImageSet
from wavegen.evaluation.density.subject import Subject


class Labelled(torch.nn.Module):
    """A normal around the number of the label; without labels around 0."""

    def forward(self, context=None):
        loc = torch.zeros(2) if context is None else (context @ torch.arange(3.0))[:, None].expand(-1, 2)
        return Independent(Normal(loc, 1e-3), 1)

    prior = forward

    def latents(self, x, context=None):
        return x - self(context).mean


def subject(conditional):
    labels = torch.tensor([0, 1, 2, 2])
    images = torch.zeros(4, 1, 1, 2, dtype=torch.uint8)
    names = ("a", "b", "c")
    data = ImageSet(images, images, images, 4, "x", dict.fromkeys(("train", "dev", "test"), labels), names)
    context = LabelContext() if conditional else NoContext()
    return Subject(Labelled(), data, context, torch.device("cpu"))


def test_one_event_is_drawn_for_each_label_or_as_many_as_asked_for():
    labels = torch.tensor([2, 0, 1])
    assert subject(True).sample(7, labels).mean(1).round().tolist() == [2, 0, 1]
    assert subject(False).sample(7, labels).shape == (7, 2)
    assert subject(True).noise(7, labels).shape == (3, 2) and subject(False).noise(7, None).shape == (7, 2)


def test_what_it_is_and_offers_is_its_models():
    assert subject(True).is_conditional and not subject(False).is_conditional
    assert subject(True).offers("prior", "latents") and not subject(True).offers("decode")
    assert not subject(True).is_bound


def test_events_come_as_levels_and_go_in_as_floats_with_their_labels():
    x = torch.tensor([[3, 3], [3, 3]], dtype=torch.uint8)
    latents = subject(True).latents(x, torch.tensor([1, 2]))
    assert latents.tolist() == [[2, 2], [1, 1]] and latents.dtype == torch.float32
