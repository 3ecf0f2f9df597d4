import pytest
import torch

from wavegen.data.context import LabelContext, NoContext
from wavegen.data.images.image_set import ImageSet
from wavegen.errors import UserError


def image_set(labels=None, label_names=()):
    images = torch.zeros(3, 1, 2, 2, dtype=torch.uint8)
    return ImageSet(images, images, images, 4, "squares", labels, label_names)


def labelled():
    labels = {part: torch.tensor([0, 2, 1]) for part in ("train", "dev", "test")}
    return image_set(labels, ("round", "square", "other"))


def test_without_context_labels_are_left_unread():
    assert NoContext().num_features(labelled()) == NoContext().num_features(image_set()) == 0
    assert NoContext().encode(torch.tensor([1, 0]), 2) is None


def test_labels_are_one_hot_over_the_classes_of_the_set():
    data = labelled()
    assert LabelContext().num_features(data) == 3
    encoded = LabelContext().encode(data.labels["train"], 3)
    assert encoded.dtype == torch.float32
    assert encoded.tolist() == [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]


def test_data_without_labels_are_named():
    with pytest.raises(UserError, match="context=labels: expected labelled data, but squares has no labels"):
        LabelContext().num_features(image_set())
