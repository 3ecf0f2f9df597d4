import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from wavegen.engines.vector.panels import (
    PANEL,
    Arena,
    gate_order,
    output_order,
    pack_panels,
    pack_taps,
    take,
    weight_rows,
)
from wavegen.engines.vector.tiles import BFLOAT16, FLOAT32


@given(st.integers(1, 50))
def test_a_panel_of_gates_has_16_of_the_signal_and_what_gates_them(half):
    order = gate_order(half).reshape(-1, 2, 16)
    assert sorted(order[order >= 0]) == list(range(2 * half))
    inside = order[:, 0] >= 0
    assert (order[:, 1][inside] == order[:, 0][inside] + half).all() and (order[:, 1][~inside] == -1).all()


def test_groups_of_outputs_begin_on_panels():
    order = output_order(3, 0, 40)
    assert order[:3].tolist() == [0, 1, 2] and order[PANEL : PANEL + 40].tolist() == list(range(3, 43))
    assert len(order) == 3 * PANEL and (order >= 0).sum() == 43


def test_padding_is_zero():
    assert take(torch.tensor([5.0, 7.0]), np.array([1, -1, 0])).tolist() == [7.0, 0.0, 5.0]
    assert take(None, np.array([0, -1])).tolist() == [0.0, 0.0]


@given(st.integers(1, 3), st.integers(1, 7), st.integers(1, 3))
def test_taps_lie_one_behind_the_other_input_by_input(panels, inputs, taps):
    weight = np.random.default_rng(inputs).standard_normal((PANEL * panels, inputs, taps)).astype(np.float32)
    packed = pack_taps(weight, FLOAT32).reshape(panels, taps, inputs, PANEL)
    assert np.array_equal(packed.transpose(0, 3, 2, 1).reshape(weight.shape), weight)
    assert pack_taps(weight, BFLOAT16).shape == (panels, taps * weight_rows(inputs, BFLOAT16), PANEL)


def test_neighbours_share_a_word():
    matrix = np.arange(3 * PANEL, dtype=np.float32).reshape(PANEL, 3) % 128  # exact in bfloat16
    words = pack_panels(matrix, BFLOAT16)
    pairs = words.view(np.uint16).astype(np.uint32) << np.uint32(16)
    numbers = pairs.view(np.float32).reshape(2, PANEL, 2)  # (row, output, low | high)
    assert np.array_equal(numbers[0], matrix[:, :2])
    assert np.array_equal(numbers[1, :, 0], matrix[:, 2]) and not numbers[1, :, 1].any()


def test_an_arena_hands_out_places_on_cache_lines():
    arena = Arena(np.float32)
    first, second = arena.add(np.ones(5)), arena.add(np.full((2, 9), 2.0))
    whole = arena.whole()
    assert (first, second, arena.size) == (0, 16, 48)
    assert whole[:5].tolist() == [1.0] * 5 and (whole[16:34] == 2).all() and whole.ctypes.data % 64 == 0
