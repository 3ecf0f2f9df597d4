import runpy
from pathlib import Path

import numpy as np

from wavegen.audio.glottal import cycles_from_f0

known_phones = runpy.run_path(str(Path(__file__).with_name("known_phones.py")))
LAYOUT, PHONES, track, column = (known_phones[name] for name in ("LAYOUT", "PHONES", "track", "column"))


def test_columns_end_as_the_contract_says():
    assert LAYOUT.column_names[-4:] == ("log_f0", "voiced", "cycles", "loudness_db")
    assert LAYOUT.column_names[:5] == ("phone-2", "phone-1", "phone", "phone+1", "phone+2")
    assert LAYOUT.num_features == 5 * len(LAYOUT.phones) + 3 + 7 + 1 == len(LAYOUT.feature_names)


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
