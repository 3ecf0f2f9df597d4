import numpy as np
from numba import njit

from wavegen.engines.vector.panels import PANEL
from wavegen.engines.vector.upsampled_sums import begin_sums


@njit
def _begin(starts, a, frames, f, frame_row, kernel, k, hop, sums, s, columns):
    begin_sums(starts, a, frames, f, frame_row, kernel, k, hop, sums, s, columns)


def test_sums_begin_with_starts_and_three_frames_at_their_phase():
    rng = np.random.default_rng(0)
    hop, frame_row, phase, columns = 7, PANEL + 9, 2, 4
    starts, kernel = rng.standard_normal(PANEL + 3), rng.standard_normal(5 + 3 * hop)
    frames = rng.standard_normal(2 + 3 * frame_row)
    sums = np.full(1 + (columns + 1) * PANEL, 9.0)
    expected = sums.copy()
    rows = frames[2:].reshape(3, frame_row)[:, :PANEL]
    for c in range(columns):
        at = 1 + c * PANEL
        expected[at : at + PANEL] = starts[3:] + kernel[5:].reshape(3, hop)[:, phase + c] @ rows
    single = [array.astype(np.float32) for array in (starts, frames, kernel, sums)]
    _begin(single[0], 3, single[1], 2, frame_row, single[2], 5 + phase, hop, single[3], 1, columns)
    np.testing.assert_allclose(single[3], expected, rtol=1e-5, atol=1e-5)
    assert (single[3][1 + columns * PANEL :] == 9).all() and single[3][0] == 9
