import pytest
from lightning.pytorch.utilities import rank_zero_only

from wavegen.training.processes import end_other_processes


def test_the_first_process_goes_on(monkeypatch):
    monkeypatch.setattr(rank_zero_only, "rank", 0, raising=False)
    assert end_other_processes() is None


@pytest.mark.parametrize("rank", [1, 7])
def test_every_other_one_ends_well(monkeypatch, rank):
    monkeypatch.setattr(rank_zero_only, "rank", rank, raising=False)
    with pytest.raises(SystemExit) as ended:
        end_other_processes()
    assert ended.value.code == 0
