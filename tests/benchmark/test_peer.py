import sys

import pytest

from wavegen.benchmark.nets import make_teacher
from wavegen.benchmark.peer import find_peer, make_peer, peer_subjects
from wavegen.errors import UserError


def test_a_missing_peer_is_found_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "wavenet_vocoder", None)
    assert find_peer() is None


def test_the_peer_speaks_alone_and_in_batches(small_config):
    package = pytest.importorskip("wavenet_vocoder")
    subjects = peer_subjects(package, small_config, 2)
    assert [(s.labels["batch_size"], s.threads, s.items) for s in subjects] == [
        (1, 1, 1), (3, 1, 3), (1, 2, 1), (3, 2, 3)
    ]  # fmt: skip
    for subject in subjects:
        subject.run(40)


def test_the_peer_has_the_teachers_shape(small_config):
    package = pytest.importorskip("wavenet_vocoder")
    net = make_peer(package, small_config)
    teacher = make_teacher(small_config["teacher"], small_config["conditioning"], seed=0)
    assert net.receptive_field == teacher.receptive_field
    theirs = [layer.conv.weight.shape for layer in net.conv_layers]
    assert theirs == [layer.dilated.weight.shape for layer in teacher.conditioner.layers]
    assert not any(name.endswith("weight_g") for name, _ in net.named_parameters())


def test_cycles_that_do_not_fit_are_named(small_config):
    package = pytest.importorskip("wavenet_vocoder")
    small_config["teacher"]["num_layers"] = 25
    with pytest.raises(UserError, match="teacher.num_layers: expected at most 10 or a multiple.*got 25"):
        make_peer(package, small_config)
