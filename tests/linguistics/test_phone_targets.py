import dataclasses

import numpy as np
import pytest
import torch

from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.linguistics.encoder import FeatureEncoder
from wavegen.linguistics.layout import CONTOUR_COLUMNS, Column, FeatureLayout
from wavegen.linguistics.phone_layout import PhoneLayout
from wavegen.linguistics.phone_targets import PhoneTargets


def test_the_phone_of_each_frame_is_read_back_from_the_encoded_features():
    layout = PhoneLayout()
    scaled = sum(column.scaled_over is not None for column in layout.columns)
    encoder = FeatureEncoder(layout, [0.0] * scaled, [1.0] * scaled)
    frames = np.zeros((2, 6, len(layout.columns)), dtype=np.float32)
    phones = np.array([[0, 5, 5, 1, 60, 2], [3, 3, 0, 0, 7, 9]]) % len(layout.phones)
    frames[..., layout.column("phone")] = phones
    frames[..., layout.column("phone+1")] = 4  # neighbours are other columns
    frames[..., layout.column("phone-2")] = 8
    targets = PhoneTargets(layout)
    assert targets.num_phones == len(layout.phones)
    contexts = [encoder.encode(one) for one in frames]
    assert torch.equal(targets(contexts[0]), torch.from_numpy(phones[0]))
    assert torch.equal(targets(SpeechContext.collate(contexts)), torch.from_numpy(phones))


@dataclasses.dataclass(frozen=True)
class Nameless(FeatureLayout):
    columns = (Column("stress", ("none", "some")), Column("phone"), *CONTOUR_COLUMNS)


def test_a_layout_without_phones_is_refused():
    with pytest.raises(UserError, match="the layout Nameless has no column 'phone' with categories"):
        PhoneTargets(Nameless())
