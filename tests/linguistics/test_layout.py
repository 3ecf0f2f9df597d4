import runpy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from wavegen.audio.pitch import PitchTrack
from wavegen.linguistics.contours import Contours
from wavegen.linguistics.layout import CONTOUR_COLUMNS, Column, FeatureLayout
from wavegen.linguistics.phone_layout import PhoneLayout

known_phones = runpy.run_path(str(Path(__file__).with_name("known_phones.py")))
LAYOUT, PHONES, column = (known_phones[name] for name in ("LAYOUT", "PHONES", "column"))


def test_pulses_decide_the_cycles_where_there_are_any():
    pulses_s = np.arange(0.0025, 0.08, 0.010)
    voiced = Contours(PitchTrack(np.full(16, 100.0), np.ones(16), pulses_s), np.zeros(16))
    cycles = column(LAYOUT.compact(PHONES, 16, voiced), "cycles")
    np.testing.assert_allclose(cycles[::2] % 1, 0, atol=1e-6)


def test_digests_tell_layouts_apart():
    assert PhoneLayout(context_width=1).digest != LAYOUT.digest
    assert PhoneLayout(LAYOUT.phones[:-1]).digest != LAYOUT.digest


def test_a_column_is_as_many_features_as_it_has_categories():
    assert Column("stress", categories=("0", "1")).feature_names == ("stress=0", "stress=1")
    assert Column("voiced").feature_names == ("voiced",)
    assert Column("cycles", is_feature=False).feature_names == ()


def test_the_loudness_is_stored_whether_it_is_a_feature_or_not():
    without = PhoneLayout(loudness=False)
    assert without.column_names == LAYOUT.column_names and without.digest != LAYOUT.digest
    assert without.feature_names == tuple(name for name in LAYOUT.feature_names if name != "loudness_db")


@dataclass(frozen=True)
class OneFlag(FeatureLayout):
    """The smallest layout there is."""

    flag: str = "loud"

    @property
    def columns(self):
        return (Column(self.flag, categories=("no", "yes")), *CONTOUR_COLUMNS)


def test_names_and_places_follow_the_columns():
    layout = OneFlag()
    assert layout.column_names == ("loud", "log_f0", "voiced", "cycles", "loudness_db")
    assert layout.feature_names == ("loud=no", "loud=yes", "log_f0", "voiced", "loudness_db")
    assert (layout.num_features, layout.column("cycles")) == (5, 3)


def test_a_digest_is_sixteen_digits_of_settings_and_columns():
    assert OneFlag().digest == OneFlag("loud").digest != OneFlag("soft").digest
    assert len(OneFlag().digest) == 16 and int(OneFlag().digest, 16) >= 0


def test_what_a_layout_leaves_out_is_told():
    with pytest.raises(NotImplementedError):
        OneFlag().num_unknown([])
