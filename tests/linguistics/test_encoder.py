import json
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from wavegen.audio.pitch import PitchTrack
from wavegen.errors import UserError
from wavegen.linguistics.contours import Contours
from wavegen.linguistics.encoder import FeatureEncoder
from wavegen.linguistics.phones import TimedPhone

known_phones = runpy.run_path(str(Path(__file__).with_name("known_phones.py")))
LAYOUT, PHONES, track, column = (known_phones[name] for name in ("LAYOUT", "PHONES", "track", "column"))


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
    np.testing.assert_array_equal(features[-2], column(frames, "voiced"))


def test_a_column_that_is_no_feature_is_left_out():
    """As the loudness of a layout without it, which is scaled all the same."""
    layout = replace(LAYOUT, loudness=False)
    frames = layout.compact(PHONES, 16, track(16))
    features = FeatureEncoder.fit(layout, [frames]).encode(frames)["features"]
    whole = FeatureEncoder.fit(LAYOUT, [frames]).encode(frames)["features"]
    kept = [LAYOUT.feature_names.index(name) for name in layout.feature_names]
    assert len(features) == layout.num_features == len(whole) - 1
    assert torch.equal(features, whole[kept])


def test_scalers_look_at_speech_and_voiced_frames_only(encoder):
    frames = LAYOUT.compact(PHONES, 16, track(16))
    features = encoder.encode(frames)["features"]
    names = LAYOUT.feature_names
    speech = torch.from_numpy(column(frames, "phone") != 0)
    voiced = torch.from_numpy(column(frames, "voiced") > 0)
    for name, mask in [
        ("position_in_word", speech),
        ("log_phone_duration", speech),
        ("log_f0", voiced),
        ("loudness_db", speech),
    ]:
        values = features[names.index(name)][mask].double()
        assert float(values.mean()) == pytest.approx(0, abs=1e-4)
        assert float(values.std(correction=0)) == pytest.approx(1, abs=1e-3)


def test_a_constant_column_does_not_divide_by_zero():
    flat = Contours(PitchTrack(np.full(16, 100.0), np.ones(16)), np.full(16, -20.0))
    frames = LAYOUT.compact([TimedPhone("k", 0.0, 0.08, 0, 0, 0)], 16, flat)
    assert torch.isfinite(FeatureEncoder.fit(LAYOUT, [frames]).encode(frames)["features"]).all()


def test_dictionaries_go_there_and_back(encoder):
    again = FeatureEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())), "x.json")
    assert again.layout == encoder.layout and again.layout.digest == encoder.layout.digest
    frames = LAYOUT.compact(PHONES, 16, track(16))
    assert torch.equal(again.encode(frames)["features"], encoder.encode(frames)["features"])


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.pop("layout"),
        lambda d: d.update(mean=[1.0]),
        lambda d: d.update(std=[0.0] * 7),
        lambda d: d.update(mean=["x"] * 7),
        lambda d: d.update(mean=[float("nan")] * 7),
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
    with pytest.raises(UserError, match="15 columns"):
        encoder.encode(frames[:, :-1])
    frames[0, 0] = 400
    with pytest.raises(
        UserError, match="the column phone-2 contains values from 0 to 400, which are outside its"
    ):
        encoder.encode(frames)


def test_nothing_to_fit_is_said():
    with pytest.raises(UserError, match="no utterance"):
        FeatureEncoder.fit(LAYOUT, [])


def test_means_and_deviations_have_to_fit_the_layout():
    with pytest.raises(UserError, match="needs 7 means and standard deviations, got 6 and 7"):
        FeatureEncoder(LAYOUT, [0.0] * 6, [1.0] * 7)
    for mean, std in ((np.nan, 1.0), (0.0, np.inf), (0.0, 0.0), (0.0, -1.0)):
        with pytest.raises(UserError, match="needs finite means and positive finite standard deviations"):
            FeatureEncoder(LAYOUT, [mean] * 7, [std] * 7)


def test_numbers_are_scaled_and_flags_left_alone():
    encoder = FeatureEncoder(LAYOUT, [1.0] * 7, [2.0] * 7)
    frames = LAYOUT.compact(PHONES, 16, track(16))
    features = encoder.encode(frames)["features"]
    names = LAYOUT.feature_names
    np.testing.assert_allclose(features[names.index("log_f0")], (column(frames, "log_f0") - 1) / 2, rtol=1e-6)
    np.testing.assert_array_equal(features[names.index("voiced")], column(frames, "voiced"))
