import runpy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from wavegen.audio.pitch import PitchTrack
from wavegen.linguistics.layout import PITCH_COLUMNS, Column, FeatureLayout, pitch_columns
from wavegen.linguistics.phone_layout import PhoneLayout

known_phones = runpy.run_path(str(Path(__file__).with_name("known_phones.py")))
LAYOUT, PHONES, column = (known_phones[name] for name in ("LAYOUT", "PHONES", "column"))


def test_pulses_decide_the_cycles_where_there_are_any():
    pulses_s = np.arange(0.0025, 0.08, 0.010)
    voiced = PitchTrack(np.full(16, 100.0), np.ones(16), pulses_s)
    cycles = column(LAYOUT.compact(PHONES, 16, voiced), "cycles")
    np.testing.assert_allclose(cycles[::2] % 1, 0, atol=1e-6)


def test_digests_tell_layouts_apart():
    assert PhoneLayout(context_width=1).digest != LAYOUT.digest
    assert PhoneLayout(LAYOUT.phones[:-1]).digest != LAYOUT.digest


def test_a_column_is_as_many_features_as_it_has_categories():
    assert Column("stress", categories=("0", "1")).feature_names == ("stress=0", "stress=1")
    assert Column("voiced").feature_names == ("voiced",)
    assert Column("cycles", is_feature=False).feature_names == ()


def test_pitch_fills_the_columns_that_every_layout_ends_in():
    f0_hz, voiced = np.array([100.0, 200.0, 400.0]), np.array([0.0, 1.0, 1.0])
    columns = pitch_columns(PitchTrack(f0_hz, voiced))
    assert tuple(columns) == tuple(column.name for column in PITCH_COLUMNS)
    np.testing.assert_allclose(columns["log_f0"], np.log(f0_hz))
    np.testing.assert_array_equal(columns["voiced"], voiced)
    # half a frame at 100 Hz, then the mean of neighbours for 5 ms each
    np.testing.assert_allclose(columns["cycles"], [0.25, 0.25 + 0.75, 0.25 + 0.75 + 1.5])


@dataclass(frozen=True)
class OneFlag(FeatureLayout):
    """The smallest layout there is."""

    flag: str = "loud"

    @property
    def columns(self):
        return (Column(self.flag, categories=("no", "yes")), *PITCH_COLUMNS)


def test_names_and_places_follow_the_columns():
    layout = OneFlag()
    assert layout.column_names == ("loud", "log_f0", "voiced", "cycles")
    assert layout.feature_names == ("loud=no", "loud=yes", "log_f0", "voiced")
    assert (layout.num_features, layout.column("cycles")) == (4, 3)


def test_a_digest_is_sixteen_digits_of_settings_and_columns():
    assert OneFlag().digest == OneFlag("loud").digest != OneFlag("soft").digest
    assert len(OneFlag().digest) == 16 and int(OneFlag().digest, 16) >= 0


def test_what_a_layout_leaves_out_is_told():
    with pytest.raises(NotImplementedError):
        OneFlag().num_unknown([])
