import math

import pytest
import torch

from wavegen.audio.world import has_world, world_resynthesis
from wavegen.errors import UserError
from wavegen.metrics.pitch import harmonicity_db
from wavegen.metrics.spectral import mel_cepstral_distortion_db


@pytest.mark.skipif(not has_world(), reason="pyworld is not installed")
@pytest.mark.parametrize("rate", [8000, 16000])
def test_a_vowel_keeps_its_pitch_its_envelope_and_its_length(rate):
    time = torch.arange(rate - 37) / rate
    vowel = sum(0.1 / k * torch.cos(2 * math.pi * 120 * k * time) for k in range(1, 20))
    spoken = world_resynthesis(vowel, rate)
    assert spoken.shape == vowel.shape and spoken.dtype == vowel.dtype
    assert mel_cepstral_distortion_db(vowel, spoken, rate) < 3
    assert harmonicity_db(spoken, rate) > 10
    assert torch.equal(spoken, world_resynthesis(vowel, rate))


def test_without_its_package_it_says_which_one_is_missing(monkeypatch):
    from wavegen.audio import world

    world._pyworld.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "pyworld", None)
    assert not has_world()
    with pytest.raises(UserError, match=r"pip install wavegen\[world\]"):
        world_resynthesis(torch.zeros(100), 16000)
