import json

import numpy as np
import pytest

from wavegen.errors import UserError
from wavegen.linguistics.phones import TimedPhone
from wavegen.linguistics.prosody.loudness_map import LoudnessMap, loudness_sums, phones_of_frames
from wavegen.untrusted.parts import describe, restore

PHONES = [TimedPhone("_", 0.0, 1.0), TimedPhone("a", 1.0, 3.0), TimedPhone("s", 3.0, 5.0)]
OF_FRAMES = np.array(phones_of_frames(PHONES, 1000))


def contour(rng, silence_db, a_db, s_db, std_db):
    """1000 frames; every phone has its mean and the common deviation."""
    means = {"_": silence_db, "a": a_db, "s": s_db}
    noise = rng.standard_normal(1000) * np.where(OF_FRAMES == "_", 0.0, std_db)
    return np.array([means[name] for name in OF_FRAMES]) + noise


def test_the_phone_of_a_frame_is_the_one_at_its_centre():
    assert list(OF_FRAMES[[0, 199, 200, 599, 600, 999]]) == ["_", "_", "a", "a", "s", "s"]
    assert phones_of_frames(PHONES[:1], 201)[199:] == ["_", "_"]


def test_sums_are_those_of_each_phone_s_frames():
    values = np.arange(1000.0) / 8
    sums = json.loads(json.dumps(loudness_sums(values, PHONES)))
    assert sums["a"] == [400, values[200:600].sum(), np.square(values[200:600]).sum()]
    assert set(sums) == {"_", "a", "s"}


def test_a_fitted_map_has_the_recordings_means_and_deviations():
    rng = np.random.default_rng(0)
    spoken, recorded = contour(rng, -80, -20, -40, 4.0), contour(rng, -60, -30, -35, 2.0)
    mapping = LoudnessMap.fit([loudness_sums(recorded, PHONES)] * 50, [loudness_sums(spoken, PHONES)] * 50)
    assert mapping.ratio == pytest.approx(0.5, rel=0.1)
    mapped = mapping(spoken, PHONES)
    for phone, mean in {"_": -60, "a": -30, "s": -35}.items():
        inside = mapped[OF_FRAMES == phone][10:-10]
        assert inside.mean() == pytest.approx(mean, abs=0.3), phone
    # A slow change of the front end's level is followed, at the ratio of the deviations.
    slow = spoken + np.where(OF_FRAMES == "a", 6.0, 0.0)
    change = (mapping(slow, PHONES) - mapped)[OF_FRAMES == "a"][10:-10]
    np.testing.assert_allclose(change, 6.0 * mapping.ratio, atol=1e-9)


def test_rare_phones_take_the_shift_of_all_speech():
    rng = np.random.default_rng(1)
    spoken, recorded = contour(rng, -80, -20, -20, 1.0), contour(rng, -60, -30, -30, 1.0)
    sums = loudness_sums(recorded, PHONES) | {"ʒ": [1.0, 0.0, 0.0]}
    mapping = LoudnessMap.fit([sums] * 20, [loudness_sums(spoken, PHONES) | {"ʒ": [1.0, -20.0, 400.0]}] * 20)
    shift = dict(zip(mapping.phones, mapping.shift_db, strict=True))
    assert shift["a"] == pytest.approx(-10, abs=0.2)
    assert shift["ʒ"] == pytest.approx((20 * 20.0 + 50 * mapping.other_db[1]) / 70)


def test_the_same_speech_is_left_as_it_is():
    spoken = contour(np.random.default_rng(2), -80, -20, -40, 4.0)
    sums = [loudness_sums(spoken, PHONES)]
    np.testing.assert_allclose(LoudnessMap.fit(sums, sums)(spoken, PHONES), spoken, atol=1e-9)
    assert LoudnessMap()(spoken, PHONES) is spoken
    silent = [loudness_sums(spoken, PHONES[:1])]
    assert LoudnessMap.fit(silent, silent) == LoudnessMap()


def test_it_is_described_as_what_makes_it_again():
    mapping = LoudnessMap(("_", "a"), (-80.0, -20.0), (3.0, -4.0), (-25.0, -3.0), 0.8)
    assert restore(json.loads(json.dumps(describe(mapping))), LoudnessMap, "x.json") == mapping


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"phones": ("a",)}, "has 1 phones, 0 levels and 0 shifts, expected the same number"),
        ({"ratio": float("nan")}, "needs finite numbers"),
    ],
)
def test_malformed_maps_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        LoudnessMap(**arguments)
