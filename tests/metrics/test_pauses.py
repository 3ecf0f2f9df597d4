import torch

from wavegen.linguistics.phones import TimedPhone
from wavegen.metrics.pauses import pause_frames


def phones(*ends):
    """Silence and ``a`` in turn, silence first, ending at ``ends``."""
    pairs = zip([0.0, *ends[:-1]], ends, strict=True)
    return [TimedPhone("_" if i % 2 == 0 else "æ", *times) for i, times in enumerate(pairs)]


def test_pauses_keep_their_margin_from_phones_but_not_from_the_edges_of_the_utterance():
    pauses = pause_frames(phones(0.1, 0.2, 0.3, 0.4, 0.5), 100)
    expected = torch.zeros(100, dtype=torch.bool)
    expected[0:15] = True  # to 0.1 − 0.025 s
    expected[45:55] = True  # from 0.225 to 0.275 s
    expected[85:100] = True  # from 0.425 s
    assert torch.equal(pauses, expected)


def test_a_frame_counts_only_if_all_of_it_is_a_pause():
    pauses = pause_frames(phones(0.0, 0.1, 0.163, 0.2), 40)
    assert pauses.nonzero().flatten().tolist() == [25, 26]  # 0.125 to 0.138 s; frame 27 would end at 0.14


def test_the_margin_can_be_chosen_and_short_pauses_vanish():
    assert pause_frames(phones(0.05, 0.1, 0.14, 0.2), 40).nonzero().flatten().tolist() == [0, 1, 2, 3, 4]
    assert int(pause_frames(phones(0.05, 0.1, 0.14, 0.2), 40, margin_s=0.0).sum()) == 10 + 8


def test_without_phones_there_is_no_pause():
    assert not pause_frames([], 10).any()
