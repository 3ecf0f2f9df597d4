import json

import numpy as np
import pytest
import torch

from wavegen.audio.glottal import cycles_from_f0
from wavegen.audio.pitch import PitchTrack
from wavegen.errors import UserError
from wavegen.linguistics.encoder import FeatureEncoder
from wavegen.linguistics.phone_layout import PhoneLayout
from wavegen.linguistics.phones import TimedPhone

LAYOUT = PhoneLayout()
PHONES = [
    TimedPhone("_", 0.0, 0.010),
    TimedPhone("k", 0.010, 0.020, 0, 0, 0),
    TimedPhone("æ", 0.020, 0.040, 2, 0, 0),
    TimedPhone("t", 0.040, 0.050, 0, 0, 0),
    TimedPhone("s", 0.050, 0.060, 0, 1, 0),
    TimedPhone("nonsense", 0.060, 0.070, 1, 1, 0),
    TimedPhone("_", 0.070, 0.080),
]


def track(num_frames: int) -> PitchTrack:
    f0 = np.linspace(100, 120, num_frames)
    return PitchTrack(f0, (np.arange(num_frames) % 2).astype(float))


def column(frames: np.ndarray, name: str) -> np.ndarray:
    return frames[:, LAYOUT.column(name)]


def test_columns_end_as_the_contract_says():
    assert LAYOUT.column_names[-3:] == ("log_f0", "voiced", "cycles")
    assert LAYOUT.column_names[:5] == ("phone-2", "phone-1", "phone", "phone+1", "phone+2")
    assert LAYOUT.num_features == 5 * len(LAYOUT.phones) + 3 + 6 + 1 == len(LAYOUT.feature_names)


def test_compact_frames_by_hand():
    frames = LAYOUT.compact(PHONES, 16, track(16))
    assert frames.shape == (16, len(LAYOUT.columns)) and frames.dtype == np.float32
    index = LAYOUT.phone_index
    wanted = [0, 0, *map(index, "k k æ æ æ æ t t s s".split()), 1, 1, 0, 0]
    np.testing.assert_array_equal(column(frames, "phone"), wanted)
    np.testing.assert_array_equal(column(frames, "phone-1")[4:8], index("k"))
    np.testing.assert_array_equal(column(frames, "phone+2")[:2], index("æ"))
    np.testing.assert_array_equal(column(frames, "phone-2")[:4], 0)
    np.testing.assert_array_equal(column(frames, "stress"), [0] * 4 + [2] * 4 + [0] * 4 + [1] * 2 + [0] * 2)
    np.testing.assert_allclose(
        column(frames, "position_in_phone")[4:8], [0.125, 0.375, 0.625, 0.875], atol=1e-6
    )
    np.testing.assert_allclose(column(frames, "position_in_word")[2:10], (np.arange(8) + 0.5) / 8, atol=1e-6)
    np.testing.assert_allclose(
        column(frames, "position_in_phrase")[2:14], (np.arange(12) + 0.5) / 12, atol=1e-6
    )
    np.testing.assert_array_equal(column(frames, "position_in_word")[[0, 1, 14, 15]], 0)
    np.testing.assert_allclose(column(frames, "log_phone_duration")[4:8], np.log(0.02), rtol=1e-5)
    np.testing.assert_allclose(column(frames, "log_word_duration")[2:10], np.log(0.04), rtol=1e-5)
    np.testing.assert_allclose(column(frames, "log_f0"), np.log(np.linspace(100, 120, 16)), rtol=1e-6)
    np.testing.assert_allclose(column(frames, "cycles"), cycles_from_f0(np.linspace(100, 120, 16)), rtol=1e-6)


def test_frames_past_the_last_phone_are_silence():
    frames = LAYOUT.compact(PHONES[:-1], 20, track(20))
    np.testing.assert_array_equal(column(frames, "phone")[14:], 0)
    assert np.isfinite(frames).all()


def test_pulses_decide_the_cycles_where_there_are_any():
    pulses_s = np.arange(0.0025, 0.08, 0.010)
    voiced = PitchTrack(np.full(16, 100.0), np.ones(16), pulses_s)
    cycles = column(LAYOUT.compact(PHONES, 16, voiced), "cycles")
    np.testing.assert_allclose(cycles[::2] % 1, 0, atol=1e-6)


@pytest.fixture
def encoder() -> FeatureEncoder:
    return FeatureEncoder.fit(LAYOUT, [LAYOUT.compact(PHONES, 16, track(16))])


def test_encoding_by_hand(encoder):
    frames = LAYOUT.compact(PHONES, 16, track(16))
    context = encoder.encode(frames)
    features = context["features"]
    assert features.shape == (LAYOUT.num_features, 16) and features.dtype == torch.float32
    assert context["cycles"].shape == context["voiced"].shape == (16,)
    names = LAYOUT.feature_names
    assert features[names.index("phone=k")].tolist() == [0.0] * 2 + [1.0] * 2 + [0.0] * 12
    assert features[names.index("phone=_")].tolist() == [1.0] * 2 + [0.0] * 12 + [1.0] * 2
    assert features[names.index("stress=2")].sum() == 4
    one_hots = features[: 5 * len(LAYOUT.phones)].reshape(5, len(LAYOUT.phones), 16)
    assert torch.equal(one_hots.sum(1), torch.ones(5, 16))
    np.testing.assert_array_equal(context["voiced"], column(frames, "voiced"))
    np.testing.assert_array_equal(features[-1], column(frames, "voiced"))


def test_scalers_look_at_speech_and_voiced_frames_only(encoder):
    frames = LAYOUT.compact(PHONES, 16, track(16))
    features = encoder.encode(frames)["features"]
    names = LAYOUT.feature_names
    speech = torch.from_numpy(column(frames, "phone") != 0)
    voiced = torch.from_numpy(column(frames, "voiced") > 0)
    for name, mask in [("position_in_word", speech), ("log_phone_duration", speech), ("log_f0", voiced)]:
        values = features[names.index(name)][mask].double()
        assert float(values.mean()) == pytest.approx(0, abs=1e-4)
        assert float(values.std(correction=0)) == pytest.approx(1, abs=1e-3)


def test_a_constant_column_does_not_divide_by_zero():
    flat = PitchTrack(np.full(16, 100.0), np.ones(16))
    frames = LAYOUT.compact([TimedPhone("k", 0.0, 0.08, 0, 0, 0)], 16, flat)
    assert torch.isfinite(FeatureEncoder.fit(LAYOUT, [frames]).encode(frames)["features"]).all()


def test_dictionaries_go_there_and_back(encoder):
    again = FeatureEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())), "x.json")
    assert again.layout == encoder.layout and again.layout.digest == encoder.layout.digest
    frames = LAYOUT.compact(PHONES, 16, track(16))
    assert torch.equal(again.encode(frames)["features"], encoder.encode(frames)["features"])


def test_digests_tell_layouts_apart():
    assert PhoneLayout(context_width=1).digest != LAYOUT.digest
    assert PhoneLayout(LAYOUT.phones[:-1]).digest != LAYOUT.digest


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.pop("layout"),
        lambda d: d.update(mean=[1.0]),
        lambda d: d.update(std=[0.0] * 6),
        lambda d: d.update(mean=["x"] * 6),
        lambda d: d.update(mean=[float("nan")] * 6),
        lambda d: d.update(layout=[]),
        lambda d: d["layout"].pop("_target_"),
        lambda d: d["layout"].update(_target_="os.system"),
        lambda d: d["layout"].update(_target_="wavegen.audio.pitch.PraatPitch"),
        lambda d: d["layout"].update(phones=3),
        lambda d: d["layout"].update(phones=["a", "b"]),
        lambda d: d["layout"].update(context_width="2"),
        lambda d: d["layout"].update(context_width=-1),
        lambda d: d["layout"].update(context_width=10**5),
        lambda d: d.update(columns=["phone"]),
    ],
)
def test_malformed_dictionaries_are_refused(encoder, damage):
    data = json.loads(json.dumps(encoder.to_dict()))
    damage(data)
    with pytest.raises(UserError, match="^x.json"):
        FeatureEncoder.from_dict(data, "x.json")


def test_frames_that_do_not_fit_are_refused(encoder):
    frames = LAYOUT.compact(PHONES, 16, track(16))
    with pytest.raises(UserError, match="14 columns"):
        encoder.encode(frames[:, :-1])
    frames[0, 0] = 400
    with pytest.raises(UserError, match="column phone-2 contains values from 0 to 400, which are outside"):
        encoder.encode(frames)


def test_nothing_to_fit_is_said():
    with pytest.raises(UserError, match="no utterance"):
        FeatureEncoder.fit(LAYOUT, [])
