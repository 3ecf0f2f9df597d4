import numpy as np

from wavegen.audio.loudness import loudness_db
from wavegen.audio.pitch import PitchTrack, PraatPitch
from wavegen.linguistics.contours import Contours, contours_of
from wavegen.linguistics.layout import CONTOUR_COLUMNS


def test_contours_fill_the_columns_that_every_layout_ends_in():
    f0_hz, voiced = np.array([100.0, 200.0, 400.0]), np.array([0.0, 1.0, 1.0])
    columns = Contours(PitchTrack(f0_hz, voiced), np.array([-40.0, -20.0, -30.0])).columns()
    assert tuple(columns) == tuple(column.name for column in CONTOUR_COLUMNS)
    np.testing.assert_allclose(columns["log_f0"], np.log(f0_hz))
    np.testing.assert_array_equal(columns["voiced"], voiced)
    np.testing.assert_array_equal(columns["loudness_db"], [-40.0, -20.0, -30.0])
    # half a frame at 100 Hz, then the mean of neighbours for 5 ms each
    np.testing.assert_allclose(columns["cycles"], [0.25, 0.25 + 0.75, 0.25 + 0.75 + 1.5])


def test_contours_of_a_recording_are_those_of_its_pitch_and_its_level():
    time_s = np.arange(8000) / 16000
    waveform = (0.2 * np.sin(2 * np.pi * 150 * time_s) + 0.1 * np.sin(2 * np.pi * 300 * time_s)).astype("f4")
    contours = contours_of(waveform, 16000, 100, PraatPitch())
    np.testing.assert_allclose(contours.pitch.f0_hz[10:90], 150.0, rtol=0.01)
    np.testing.assert_array_equal(contours.loudness_db, loudness_db(waveform, 16000, 100))
