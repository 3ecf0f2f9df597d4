import numpy as np
import torch

from wavegen.audio.pitch import PitchTrack
from wavegen.metrics.metric import Spoken


def test_the_reference_comes_first_and_its_voicing_counts():
    """A vowel that the system swallowed is judged where the recording has it."""
    waveform, reference = torch.zeros(120), torch.ones(120)
    own = PitchTrack(np.array([100.0, 110.0, 120.0]), np.array([0.0, 0.0, 0.0]))
    true = PitchTrack(np.array([90.0, 95.0, 99.0]), np.array([1.0, 0.0, 1.0]))
    spoken = Spoken(waveform, reference, 8000, own, true)
    assert spoken.signals[0] is reference and spoken.signals[1] is waveform and spoken.signals[2] == 8000
    assert spoken.voiced.tolist() == [True, False, True]
    assert spoken.f0[0].tolist() == [100, 110, 120] and spoken.reference_f0[0].tolist() == [90, 95, 99]
    assert spoken.f0[1].sum() == 0 and spoken.reference_f0[1].sum() == 2
