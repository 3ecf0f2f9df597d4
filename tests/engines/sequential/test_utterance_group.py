import runpy
from pathlib import Path

import numpy as np
import torch

one_group = runpy.run_path(str(Path(__file__).with_name("one_group.py")))
names = ("small_teacher", "group_of", "prepare", "read", "run")
small_teacher, group_of, prepare, read, run = (one_group[name] for name in names)


def test_windows_follow_each_other_without_a_seam():
    teacher, x = small_teacher(), 0.3 * torch.randn(2, 40).numpy()
    whole = read(group_of(teacher, [0, 1]), x, 0, 40)
    group = group_of(teacher, [0, 1])
    pieces = [read(group, x, start, stop) for start, stop in ((0, 7), (7, 8), (8, 40))]
    assert np.array_equal(np.concatenate(pieces, axis=1), whole)


def test_columns_that_are_let_go_leave_the_others_as_they_are():
    teacher, x = small_teacher(), 0.3 * torch.randn(3, 30).numpy()
    expected = read(group_of(teacher, [0, 1, 2]), x, 0, 30)
    group = group_of(teacher, [0, 1, 2])
    read(group, x, 0, 12)
    group.truncate(3)
    assert len(group.members) == 3
    group.truncate(1)
    assert group.members.tolist() == [0] and group.waveform.shape[0] == 1
    np.testing.assert_allclose(read(group, x, 12, 30), expected[:1, 12:], rtol=1e-4, atol=1e-5)
    group.truncate(0)
    assert len(group.members) == 0


def test_a_group_takes_its_members_of_the_batch():
    teacher, x = small_teacher(), 0.3 * torch.randn(4, 20).numpy()
    expected = read(group_of(teacher, [0, 1]), x[[1, 3]], 0, 20)
    assert np.array_equal(read(group_of(teacher, [1, 3]), x, 0, 20), expected)


def test_what_is_spoken_comes_of_the_members_own_draws():
    teacher = small_teacher()
    uniforms, noise = torch.rand(15, 3).numpy(), torch.randn(15, 3).numpy()

    def spoken(members, temperature):
        group = group_of(teacher, members)
        prepare(group, 0, 15, batch_size=3)
        group.to_speak(uniforms, noise, np.full_like(noise, temperature))
        run(group)
        return group.spoken

    both, alone = spoken([0, 2], 1.0), spoken([2], 1.0)
    assert both.shape == (2, 15) and both.any(axis=1).all()
    assert np.array_equal(both[1:], alone) and not np.array_equal(both[0], both[1])
    calm = spoken([0, 2], 0.0)
    assert np.array_equal(calm[0], calm[1]), "without noise all utterances are one"
